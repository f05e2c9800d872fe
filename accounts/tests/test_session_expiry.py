"""Sessions end after a time without use and after a maximum age."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.utils import timezone

from accounts.auth.sessions import end_all, open_session
from accounts.models import Session
from accounts.tests.factories import UserFactory
from accounts.tests.helpers import (
    TOKEN_INVALID,
    data,
    decode_claims,
    profile,
    refresh,
    status_and_code,
)

pytestmark = pytest.mark.django_db

MINUTES_30 = timedelta(minutes=30)
HOURS_12 = timedelta(hours=12)
SECOND = timedelta(seconds=1)


def age_sessions(time, *, used=timedelta()):
    """Moves the start of all sessions back by `time` and their last use by `used`."""
    Session.objects.update(created_at=F("created_at") - time, rotated_at=F("rotated_at") - used)


def test_without_limits_a_session_lives_as_long_as_its_refresh_token(api):
    tokens = open_session(UserFactory())
    age_sessions(timedelta(days=400), used=timedelta(days=400))

    assert profile(api(), tokens["access"]).status_code == 200
    assert refresh(api(), tokens["refresh"]).status_code == 200


@pytest.mark.parametrize(
    ("idle", "status"), [(MINUTES_30 - 10 * SECOND, 200), (MINUTES_30 + SECOND, 401)]
)
def test_an_unrefreshed_session_ends(api, settings, idle, status, django_assert_num_queries):
    settings.SESSION_IDLE = MINUTES_30
    tokens = open_session(UserFactory())
    age_sessions(idle, used=idle)

    with django_assert_num_queries(2):  # the user and session, and the audit event
        opened = profile(api(), tokens["access"])
    renewed = refresh(api(), tokens["refresh"])

    assert opened.status_code == renewed.status_code == status
    if status == 401:
        assert status_and_code(opened) == status_and_code(renewed) == TOKEN_INVALID


def test_a_refresh_keeps_an_idle_session_alive(api, settings):
    settings.SESSION_IDLE = MINUTES_30
    tokens = open_session(UserFactory())
    age_sessions(MINUTES_30 - MINUTES_30 / 10, used=MINUTES_30 - MINUTES_30 / 10)

    renewed = data(refresh(api(), tokens["refresh"]))
    age_sessions(MINUTES_30 - MINUTES_30 / 10, used=MINUTES_30 - MINUTES_30 / 10)

    assert profile(api(), renewed["access"]).status_code == 200
    assert refresh(api(), renewed["refresh"]).status_code == 200


def test_requests_without_a_refresh_do_not_keep_a_session_alive(api, settings):
    settings.SESSION_IDLE = MINUTES_30
    tokens = open_session(UserFactory())
    age_sessions(MINUTES_30 - MINUTES_30 / 10, used=MINUTES_30 - MINUTES_30 / 10)

    assert profile(api(), tokens["access"]).status_code == 200
    age_sessions(MINUTES_30 / 5, used=MINUTES_30 / 5)

    assert status_and_code(profile(api(), tokens["access"])) == TOKEN_INVALID


@pytest.mark.parametrize(
    ("age", "status"), [(HOURS_12 - 10 * SECOND, 200), (HOURS_12 + SECOND, 401)]
)
def test_a_session_ends_at_its_maximum_age_despite_use(
    api, settings, age, status, django_assert_num_queries
):
    settings.SESSION_ABSOLUTE = HOURS_12
    tokens = open_session(UserFactory())
    age_sessions(age)

    with django_assert_num_queries(2):  # the user and session, and the audit event
        opened = profile(api(), tokens["access"])
    renewed = refresh(api(), tokens["refresh"])

    assert opened.status_code == renewed.status_code == status


def test_no_refresh_token_outlives_the_session(api, settings):
    settings.SESSION_ABSOLUTE = HOURS_12
    tokens = open_session(UserFactory())
    end = Session.objects.get().created_at + HOURS_12
    first = decode_claims(tokens["refresh"])["exp"]

    renewed = data(refresh(api(), tokens["refresh"]))
    age_sessions(timedelta(hours=8))
    again = data(refresh(api(), renewed["refresh"]))

    assert first == decode_claims(renewed["refresh"])["exp"] == int(end.timestamp())
    assert decode_claims(again["refresh"])["exp"] == int((end - timedelta(hours=8)).timestamp())
    assert Session.objects.get().expires_at.timestamp() == decode_claims(again["refresh"])["exp"]


def test_a_longer_maximum_age_does_not_extend_a_refresh_token(settings):
    settings.SESSION_ABSOLUTE = timedelta(days=30)

    claims = decode_claims(open_session(UserFactory())["refresh"])

    assert claims["exp"] - claims["iat"] == 7 * 24 * 3600


def test_the_list_shows_when_a_session_ends(api, settings):
    settings.SESSION_IDLE, settings.SESSION_ABSOLUTE = MINUTES_30, HOURS_12
    jane = UserFactory()
    client = api(jane)
    session = Session.objects.get()

    [row] = data(client.get("/api/auth/sessions/"))["results"]
    age_sessions(HOURS_12 - MINUTES_30 / 2)
    [late] = data(client.get("/api/auth/sessions/"))["results"]

    idle_end = timezone.localtime(session.rotated_at + MINUTES_30)
    absolute_end = timezone.localtime(session.created_at + MINUTES_30 / 2)
    assert row["expires_at"] == idle_end.isoformat()
    assert late["expires_at"] == absolute_end.isoformat()


def test_an_ended_session_cannot_be_listed_or_ended(api, settings):
    settings.SESSION_IDLE = MINUTES_30
    jane = UserFactory()
    idle = open_session(jane)
    age_sessions(MINUTES_30, used=MINUTES_30)
    client = api(jane)

    listed = data(client.get("/api/auth/sessions/"))["results"]
    ended = client.delete(f"/api/auth/sessions/{decode_claims(idle['access'])['sid']}/")

    assert [row["is_current"] for row in listed] == [True]
    assert ended.status_code == 404


def test_ending_all_sessions_includes_those_ended_by_a_limit(api, settings):
    settings.SESSION_IDLE = timedelta(minutes=30)
    jane = UserFactory()
    tokens = open_session(jane)
    Session.objects.update(rotated_at=timezone.now() - timedelta(minutes=31))

    end_all(jane)
    settings.SESSION_IDLE = timedelta()

    assert api().post("/api/auth/refresh/", {"refresh": tokens["refresh"]}).status_code == 401
