import pytest

from accounts.auth.sessions import open_session
from accounts.models import Session, User
from accounts.tests.factories import UserFactory
from accounts.tests.helpers import (
    TOKEN_REFUSED,
    data,
    error_details,
    profile,
    refresh,
    status_and_code,
)

pytestmark = pytest.mark.django_db

LOGOUT = "/api/auth/logout/"


def sign_out(client, token):
    return client.post(LOGOUT, {"refresh": token})


def test_both_tokens_of_a_session_are_invalid_after_logout(api):
    tokens = open_session(UserFactory())

    response = sign_out(api(), tokens["refresh"])

    assert response.status_code == 200
    assert response.json() == {"status": "success", "data": None, "message": "Signed out."}
    assert error_details(profile(api(), tokens["access"])) == TOKEN_REFUSED
    assert error_details(refresh(api(), tokens["refresh"])) == TOKEN_REFUSED


def test_logout_keeps_the_other_sessions(api):
    jane = UserFactory()
    here, there, pauls = open_session(jane), open_session(jane), open_session(UserFactory())

    data(sign_out(api(), here["refresh"]))

    assert profile(api(), there["access"]).status_code == 200
    assert refresh(api(), there["refresh"]).status_code == 200
    assert profile(api(), pauls["access"]).status_code == 200


def test_a_second_logout_is_401(api):
    tokens = open_session(UserFactory())
    sign_out(api(), tokens["refresh"])
    ended_at = Session.objects.get().ended_at

    response = sign_out(api(), tokens["refresh"])

    assert error_details(response) == TOKEN_REFUSED
    assert Session.objects.get().ended_at == ended_at


def test_a_superseded_token_signs_out(api):
    old = open_session(UserFactory())
    new = data(refresh(api(), old["refresh"]))

    response = sign_out(api(), old["refresh"])

    assert response.status_code == 200
    assert error_details(profile(api(), new["access"])) == TOKEN_REFUSED


def test_the_authorization_header_is_ignored_at_logout(api):
    janes, pauls = open_session(UserFactory()), open_session(UserFactory())
    client = api()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {pauls['access']}")

    data(sign_out(client, janes["refresh"]))

    assert profile(api(), janes["access"]).status_code == 401
    assert profile(api(), pauls["access"]).status_code == 200


def test_an_access_token_does_not_sign_out(api):
    tokens = open_session(UserFactory())

    response = sign_out(api(), tokens["access"])

    assert error_details(response) == TOKEN_REFUSED
    assert profile(api(), tokens["access"]).status_code == 200


def test_the_token_of_a_deleted_account_is_invalid(api):
    jane = UserFactory()
    tokens = open_session(jane)
    jane.delete()

    assert error_details(sign_out(api(), tokens["refresh"])) == TOKEN_REFUSED


def test_a_deactivated_user_can_sign_out(api):
    tokens = open_session(UserFactory())
    User.objects.update(is_active=False)

    response = sign_out(api(), tokens["refresh"])

    assert response.status_code == 200
    assert Session.objects.get().ended_at is not None


@pytest.mark.parametrize("value", [None, True, [], {}, ["x"], "", " ", "x" * 4097, "x\0y"])
def test_an_invalid_value_is_refused_by_field_name(api, value):
    tokens = open_session(UserFactory())

    response = sign_out(api(), value)

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == ["refresh"]
    assert profile(api(), tokens["access"]).status_code == 200
