"""An account has at most MAX_SESSIONS sessions: one more ends the oldest."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.auth.sessions import open_session
from accounts.models import AuditEvent, Session
from accounts.tests import builders
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.helpers import TOKEN_INVALID, data, refresh, sign_in, status_and_code

pytestmark = pytest.mark.django_db


def test_one_more_sign_in_ends_the_oldest_session(api, settings):
    settings.MAX_SESSIONS = 2
    jane, paul = UserFactory(username="jane"), UserFactory()
    pauls = open_session(paul)
    tokens = [data(sign_in(api(), "jane", PASSWORD))["refresh"] for _ in range(3)]

    assert jane.sessions.live().count() == 2
    assert status_and_code(refresh(api(), tokens[0])) == TOKEN_INVALID
    assert [refresh(api(), token).status_code for token in tokens[1:]] == [200, 200]
    assert refresh(api(), pauls["refresh"]).status_code == 200


def test_sessions_that_are_over_take_no_place(settings):
    settings.MAX_SESSIONS = 2
    jane = UserFactory()
    for _ in range(2):
        open_session(jane)
    oldest = jane.sessions.order_by("created_at").first()
    jane.sessions.exclude(pk=oldest.pk).update(expires_at=timezone.now() - timedelta(days=1))

    open_session(jane)

    oldest.refresh_from_db()
    assert oldest.ended_at is None


def test_the_end_of_the_oldest_session_is_audited(settings):
    settings.MAX_SESSIONS = 1
    jane = UserFactory()
    open_session(jane)
    first = jane.sessions.get()

    open_session(jane)

    ended = AuditEvent.objects.get(event="session.end")
    assert (ended.actor, ended.records) == (jane.pk, [f"session/{first.pk}"])


def test_0_sets_no_limit(settings):
    settings.MAX_SESSIONS = 0
    jane = UserFactory()

    for _ in range(25):
        open_session(jane)

    assert jane.sessions.live().count() == 25


def test_the_default_is_20(settings):
    jane = UserFactory()

    for _ in range(21):
        open_session(jane)

    assert (settings.MAX_SESSIONS, jane.sessions.live().count()) == (20, 20)


@pytest.mark.django_db(transaction=True)
def test_sign_ins_at_once_leave_as_many_sessions_as_allowed(callers):
    for _ in range(3):
        statuses = callers.run_concurrently(
            builders.sign_in_once, callers.run(builders.sign_ins_of_one_account)
        )

        assert statuses == [200] * 6
        assert callers.run(builders.live_sessions) == 20


def test_the_limit_ends_no_session_of_another_account(settings):
    settings.MAX_SESSIONS = 1
    people = UserFactory.create_batch(3)

    for person in people:
        open_session(person)

    assert Session.objects.live().count() == 3
