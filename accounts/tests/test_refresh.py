from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import passwords
from accounts.auth.sessions import open_session
from accounts.models import Session, User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.helpers import (
    TOKEN_REFUSED,
    data,
    decode_claims,
    error_details,
    profile,
    refresh,
    requires_postgresql,
    run_behind_transaction,
    run_concurrently,
    status_and_code,
)

pytestmark = pytest.mark.django_db

SUPERSEDED = (409, "refresh_superseded", {"refresh": ["Use the newer token."]})


def age_rotations(session, **time):
    """Moves all rotations of the session into the past."""
    session = Session.objects.get(pk=session)
    earlier = timedelta(**time).total_seconds()
    session.rotated = {jti: moment - earlier for jti, moment in session.rotated.items()}
    session.save()


def session_of(tokens):
    return decode_claims(tokens["refresh"])["sid"]


def test_a_refresh_token_is_exchanged_for_a_new_pair(api):
    jane = UserFactory()
    old = open_session(jane)

    response = refresh(api(), old["refresh"])

    new = data(response)
    assert response.json()["message"] == "Token refreshed."
    assert list(new) == ["access", "refresh"]
    assert data(profile(api(), new["access"]))["id"] == jane.pk
    assert decode_claims(new["refresh"])["jti"] != decode_claims(old["refresh"])["jti"]
    assert session_of(new) == session_of(old)
    assert Session.objects.count() == 1


def test_the_new_refresh_token_can_be_exchanged(api):
    tokens = open_session(UserFactory())

    for _ in range(3):
        tokens = data(refresh(api(), tokens["refresh"]))

    assert profile(api(), tokens["access"]).status_code == 200


def test_the_session_lives_as_long_as_its_newest_refresh_token(api):
    tokens = open_session(UserFactory())
    Session.objects.update(expires_at=timezone.now() + timedelta(minutes=1))

    new = data(refresh(api(), tokens["refresh"]))

    session = Session.objects.get()
    assert session.expires_at.timestamp() == decode_claims(new["refresh"])["exp"]
    assert session.jti == decode_claims(new["refresh"])["jti"]
    assert list(session.rotated) == [decode_claims(tokens["refresh"])["jti"]]


@pytest.mark.parametrize("seconds", [0, 5, 9])
def test_the_second_of_two_tabs_gets_superseded_and_the_session_lives(api, seconds):
    old = open_session(UserFactory())
    new = data(refresh(api(), old["refresh"]))
    age_rotations(session_of(old), seconds=seconds)

    response = refresh(api(), old["refresh"])

    assert error_details(response) == SUPERSEDED
    assert profile(api(), new["access"]).status_code == 200
    assert refresh(api(), new["refresh"]).status_code == 200


@pytest.mark.parametrize("time", [{"seconds": 10}, {"seconds": 11}, {"days": 6}])
def test_a_late_reuse_of_a_token_ends_its_session(api, time):
    jane = UserFactory()
    elsewhere = open_session(jane)
    old = open_session(jane)
    new = data(refresh(api(), old["refresh"]))
    age_rotations(session_of(old), **time)

    response = refresh(api(), old["refresh"])

    assert error_details(response) == TOKEN_REFUSED
    assert error_details(refresh(api(), new["refresh"])) == TOKEN_REFUSED
    assert error_details(profile(api(), new["access"])) == TOKEN_REFUSED
    assert profile(api(), elsewhere["access"]).status_code == 200


def test_three_concurrent_tabs_get_superseded_and_the_session_lives(api):
    oldest = open_session(UserFactory())
    older = data(refresh(api(), oldest["refresh"]))
    age_rotations(session_of(oldest), seconds=4)
    new = data(refresh(api(), older["refresh"]))

    answers = [refresh(api(), tokens["refresh"]) for tokens in (oldest, older)]

    assert [error_details(answer) for answer in answers] == [SUPERSEDED] * 2
    assert refresh(api(), new["refresh"]).status_code == 200


def test_a_token_from_two_rotations_ago_ends_its_session_after_the_grace_period(api):
    oldest = open_session(UserFactory())
    older = data(refresh(api(), oldest["refresh"]))
    age_rotations(session_of(oldest), seconds=10)
    new = data(refresh(api(), older["refresh"]))

    response = refresh(api(), oldest["refresh"])

    assert error_details(response) == TOKEN_REFUSED
    assert error_details(profile(api(), new["access"])) == TOKEN_REFUSED


def test_only_recent_rotations_are_stored(api):
    tokens = open_session(UserFactory())
    for _ in range(3):
        tokens = data(refresh(api(), tokens["refresh"]))
        age_rotations(session_of(tokens), seconds=11)
    data(refresh(api(), tokens["refresh"]))

    assert list(Session.objects.get().rotated) == [decode_claims(tokens["refresh"])["jti"]]


def end(session, jane):
    session.end()


def expire(session, jane):
    session.update(expires_at=timezone.now())


def deactivate(session, jane):
    User.objects.filter(pk=jane.pk).update(is_active=False)


def delete(session, jane):
    jane.delete()


def change_password(session, jane):
    passwords.change_password(jane, old_password=PASSWORD, new_password="an-even-better-battery")


@pytest.mark.parametrize("event", [end, expire, deactivate, delete, change_password])
def test_an_ended_session_cannot_be_refreshed(api, event):
    jane = UserFactory()
    tokens = open_session(jane)
    bystander = open_session(UserFactory())
    event(Session.objects.filter(user=jane), jane)

    response = refresh(api(), tokens["refresh"])

    assert error_details(response) == TOKEN_REFUSED
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert refresh(api(), bystander["refresh"]).status_code == 200


@pytest.mark.parametrize("event", [end, expire, deactivate, change_password])
def test_a_superseded_token_of_an_ended_session_is_invalid(api, event):
    jane = UserFactory()
    tokens = open_session(jane)
    refresh(api(), tokens["refresh"])
    event(Session.objects.filter(user=jane), jane)

    assert error_details(refresh(api(), tokens["refresh"])) == TOKEN_REFUSED


def test_the_authorization_header_is_ignored_at_refresh(api):
    tokens = open_session(UserFactory())
    client = api()
    client.credentials(HTTP_AUTHORIZATION="Bearer of.bad.news")

    assert refresh(client, tokens["refresh"]).status_code == 200


@pytest.mark.parametrize("value", [None, True, [], {}, ["x"], "", " ", "x" * 4097, "x\0y"])
def test_an_invalid_value_is_refused_by_field_name(api, value):
    tokens = open_session(UserFactory())

    response = refresh(api(), value)

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == ["refresh"]
    assert refresh(api(), tokens["refresh"]).status_code == 200


@requires_postgresql
@pytest.mark.django_db(transaction=True)
def test_one_of_several_concurrent_refreshes_succeeds(api):
    for _ in range(15):
        tokens = open_session(UserFactory())

        answers = run_concurrently(
            *[
                lambda address=f"10.0.0.{n}", token=tokens["refresh"]: refresh(
                    api(REMOTE_ADDR=address), token
                )
                for n in range(6)
            ]
        )

        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
        won = next(data(answer) for answer in answers if answer.status_code == 200)
        assert profile(api(), won["access"]).status_code == 200
        Session.objects.filter(pk=session_of(won)).update(rotated_at=timezone.now())
        assert Session.objects.get(pk=session_of(won)).jti == decode_claims(won["refresh"])["jti"]


@requires_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_refresh_that_waited_for_another_is_superseded(api):
    tokens = open_session(UserFactory())

    first, second = run_behind_transaction(
        lambda: refresh(api(), tokens["refresh"]), lambda: refresh(api(), tokens["refresh"])
    )

    assert error_details(second) == SUPERSEDED
    assert refresh(api(), data(first)["refresh"]).status_code == 200


@requires_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_refresh_that_waited_for_a_logout_is_refused(api):
    tokens = open_session(UserFactory())

    signed_out, refreshed = run_behind_transaction(
        lambda: api().post("/api/auth/logout/", {"refresh": tokens["refresh"]}),
        lambda: refresh(api(), tokens["refresh"]),
    )

    assert signed_out.status_code == 200
    assert error_details(refreshed) == TOKEN_REFUSED


@requires_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_refresh_during_a_logout_does_not_keep_the_session(api):
    for n in range(10):
        tokens = open_session(UserFactory())

        refreshed, signed_out = run_concurrently(
            lambda n=n, token=tokens["refresh"]: refresh(api(REMOTE_ADDR=f"10.0.1.{n}"), token),
            lambda token=tokens["refresh"]: api().post("/api/auth/logout/", {"refresh": token}),
        )

        assert signed_out.status_code == 200
        assert refreshed.status_code in {200, 401}
        if refreshed.status_code == 200:
            assert profile(api(), data(refreshed)["access"]).status_code == 401
        assert not Session.objects.live().filter(pk=session_of(tokens)).exists()


@requires_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_refresh_during_a_password_change_does_not_keep_the_session(api):
    for n in range(6):
        jane = UserFactory()
        tokens = open_session(jane)

        refreshed, _ = run_concurrently(
            lambda n=n, token=tokens["refresh"]: refresh(api(REMOTE_ADDR=f"10.0.2.{n}"), token),
            lambda jane=jane: change_password(None, jane),
        )

        assert refreshed.status_code in {200, 401}
        assert not Session.objects.live().filter(pk=session_of(tokens)).exists()
