from datetime import timedelta

import pytest
from django.utils import timezone

from accounts import services
from accounts.auth.sessions import open_session
from accounts.models import Session, User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.helpers import (
    TOKEN_REFUSED,
    at_once,
    claims_of,
    data,
    on_postgresql,
    profile,
    refresh,
    refusal,
    status_and_code,
    while_held,
)

pytestmark = pytest.mark.django_db

SUPERSEDED = (409, "refresh_superseded", {"refresh": ["Use the newer token."]})


def let_pass(session, **time):
    """As if every rotation of the session had been that much earlier."""
    session = Session.objects.get(pk=session)
    earlier = timedelta(**time).total_seconds()
    session.rotated = {jti: moment - earlier for jti, moment in session.rotated.items()}
    session.save()


def session_of(tokens):
    return claims_of(tokens["refresh"])["sid"]


def test_a_refresh_token_is_exchanged_for_a_new_pair(api):
    jane = UserFactory()
    old = open_session(jane)

    response = refresh(api(), old["refresh"])

    new = data(response)
    assert response.json()["message"] == "Token refreshed."
    assert list(new) == ["access", "refresh"]
    assert data(profile(api(), new["access"]))["id"] == jane.pk
    assert claims_of(new["refresh"])["jti"] != claims_of(old["refresh"])["jti"]
    assert session_of(new) == session_of(old)
    assert Session.objects.count() == 1


def test_the_new_refresh_token_can_be_exchanged_in_its_turn(api):
    tokens = open_session(UserFactory())

    for _ in range(3):
        tokens = data(refresh(api(), tokens["refresh"]))

    assert profile(api(), tokens["access"]).status_code == 200


def test_the_session_lives_as_long_as_its_newest_refresh_token(api):
    tokens = open_session(UserFactory())
    Session.objects.update(expires_at=timezone.now() + timedelta(minutes=1))

    new = data(refresh(api(), tokens["refresh"]))

    session = Session.objects.get()
    assert session.expires_at.timestamp() == claims_of(new["refresh"])["exp"]
    assert session.jti == claims_of(new["refresh"])["jti"]
    assert list(session.rotated) == [claims_of(tokens["refresh"])["jti"]]


@pytest.mark.parametrize("seconds", [0, 5, 9])
def test_the_slower_of_two_tabs_is_told_and_the_session_lives(api, seconds):
    old = open_session(UserFactory())
    new = data(refresh(api(), old["refresh"]))
    let_pass(session_of(old), seconds=seconds)

    response = refresh(api(), old["refresh"])

    assert refusal(response) == SUPERSEDED
    assert profile(api(), new["access"]).status_code == 200
    assert refresh(api(), new["refresh"]).status_code == 200


@pytest.mark.parametrize("time", [{"seconds": 10}, {"seconds": 11}, {"days": 6}])
def test_a_token_that_comes_back_later_ends_its_session(api, time):
    jane = UserFactory()
    elsewhere = open_session(jane)
    old = open_session(jane)
    new = data(refresh(api(), old["refresh"]))
    let_pass(session_of(old), **time)

    response = refresh(api(), old["refresh"])

    assert refusal(response) == TOKEN_REFUSED
    assert refusal(refresh(api(), new["refresh"])) == TOKEN_REFUSED
    assert refusal(profile(api(), new["access"])) == TOKEN_REFUSED
    assert profile(api(), elsewhere["access"]).status_code == 200


def test_each_of_three_tabs_is_told_while_the_session_goes_on(api):
    oldest = open_session(UserFactory())
    older = data(refresh(api(), oldest["refresh"]))
    let_pass(session_of(oldest), seconds=4)
    new = data(refresh(api(), older["refresh"]))

    answers = [refresh(api(), tokens["refresh"]) for tokens in (oldest, older)]

    assert [refusal(answer) for answer in answers] == [SUPERSEDED] * 2
    assert refresh(api(), new["refresh"]).status_code == 200


def test_a_token_from_two_rotations_ago_ends_its_session_when_its_time_is_over(api):
    oldest = open_session(UserFactory())
    older = data(refresh(api(), oldest["refresh"]))
    let_pass(session_of(oldest), seconds=10)
    new = data(refresh(api(), older["refresh"]))

    response = refresh(api(), oldest["refresh"])

    assert refusal(response) == TOKEN_REFUSED
    assert refusal(profile(api(), new["access"])) == TOKEN_REFUSED


def test_only_the_rotations_of_the_last_seconds_are_kept(api):
    tokens = open_session(UserFactory())
    for _ in range(3):
        tokens = data(refresh(api(), tokens["refresh"]))
        let_pass(session_of(tokens), seconds=11)
    data(refresh(api(), tokens["refresh"]))

    assert list(Session.objects.get().rotated) == [claims_of(tokens["refresh"])["jti"]]


def end(session, jane):
    session.end()


def expire(session, jane):
    session.update(expires_at=timezone.now())


def deactivate(session, jane):
    User.objects.filter(pk=jane.pk).update(is_active=False)


def delete(session, jane):
    jane.delete()


def change_password(session, jane):
    services.change_password(jane, old_password=PASSWORD, new_password="an-even-better-battery")


@pytest.mark.parametrize("event", [end, expire, deactivate, delete, change_password])
def test_no_session_that_is_over_is_refreshed(api, event):
    jane = UserFactory()
    tokens = open_session(jane)
    bystander = open_session(UserFactory())
    event(Session.objects.filter(user=jane), jane)

    response = refresh(api(), tokens["refresh"])

    assert refusal(response) == TOKEN_REFUSED
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'
    assert refresh(api(), bystander["refresh"]).status_code == 200


@pytest.mark.parametrize("event", [end, expire, deactivate, change_password])
def test_a_superseded_token_of_a_session_that_is_over_is_just_dead(api, event):
    jane = UserFactory()
    tokens = open_session(jane)
    refresh(api(), tokens["refresh"])
    event(Session.objects.filter(user=jane), jane)

    assert refusal(refresh(api(), tokens["refresh"])) == TOKEN_REFUSED


def test_a_stale_access_token_in_the_header_does_not_matter(api):
    tokens = open_session(UserFactory())
    client = api()
    client.credentials(HTTP_AUTHORIZATION="Bearer of.bad.news")

    assert refresh(client, tokens["refresh"]).status_code == 200


@pytest.mark.parametrize("value", [None, True, [], {}, ["x"], "", " ", "x" * 4097, "x\0y"])
def test_a_bad_value_is_refused_under_its_name(api, value):
    tokens = open_session(UserFactory())

    response = refresh(api(), value)

    assert status_and_code(response) == (400, "validation_error")
    assert list(refusal(response)[2]) == ["refresh"]
    assert refresh(api(), tokens["refresh"]).status_code == 200


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_of_those_who_refresh_one_token_at_once_exactly_one_wins(api):
    for _ in range(15):
        tokens = open_session(UserFactory())

        answers = at_once(
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
        assert Session.objects.get(pk=session_of(won)).jti == claims_of(won["refresh"])["jti"]


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_refresh_that_had_to_wait_for_another_sees_what_it_did(api):
    tokens = open_session(UserFactory())

    first, second = while_held(
        lambda: refresh(api(), tokens["refresh"]), lambda: refresh(api(), tokens["refresh"])
    )

    assert refusal(second) == SUPERSEDED
    assert refresh(api(), data(first)["refresh"]).status_code == 200


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_refresh_that_had_to_wait_for_the_sign_out_is_refused(api):
    tokens = open_session(UserFactory())

    signed_out, refreshed = while_held(
        lambda: api().post("/api/auth/logout/", {"refresh": tokens["refresh"]}),
        lambda: refresh(api(), tokens["refresh"]),
    )

    assert signed_out.status_code == 200
    assert refusal(refreshed) == TOKEN_REFUSED


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_refresh_beside_a_sign_out_does_not_keep_the_session(api):
    for n in range(10):
        tokens = open_session(UserFactory())

        refreshed, signed_out = at_once(
            lambda n=n, token=tokens["refresh"]: refresh(api(REMOTE_ADDR=f"10.0.1.{n}"), token),
            lambda token=tokens["refresh"]: api().post("/api/auth/logout/", {"refresh": token}),
        )

        assert signed_out.status_code == 200
        assert refreshed.status_code in {200, 401}
        if refreshed.status_code == 200:
            assert profile(api(), data(refreshed)["access"]).status_code == 401
        assert not Session.objects.live().filter(pk=session_of(tokens)).exists()


@on_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_refresh_beside_a_change_of_password_does_not_keep_the_session(api):
    for n in range(6):
        jane = UserFactory()
        tokens = open_session(jane)

        refreshed, _ = at_once(
            lambda n=n, token=tokens["refresh"]: refresh(api(REMOTE_ADDR=f"10.0.2.{n}"), token),
            lambda jane=jane: change_password(None, jane),
        )

        assert refreshed.status_code in {200, 401}
        assert not Session.objects.live().filter(pk=session_of(tokens)).exists()
