import pytest

from accounts.auth.sessions import open_session
from accounts.models import Session, User
from accounts.tests.factories import PASSWORD, AdminFactory, UnverifiedDoctorFactory, UserFactory
from accounts.tests.helpers import (
    TOKEN_REFUSED,
    data,
    decode_claims,
    error_details,
    profile,
    refresh,
    requires_postgresql,
    run_concurrently,
    sign_in,
    status_and_code,
)

pytestmark = pytest.mark.django_db

CHANGE = "/api/auth/password/change/"
NEW = "an-even-better-battery"
BODY = {"old_password": PASSWORD, "new_password": NEW}


@pytest.mark.parametrize("person", [UserFactory, UnverifiedDoctorFactory, AdminFactory])
def test_after_a_change_only_the_new_password_is_accepted(api, person):
    person = person(username="jane")

    response = api(person).post(CHANGE, BODY)

    assert response.status_code == 200
    assert response.json()["message"] == "Password changed. All other sessions have ended."
    assert sign_in(api(), "jane", NEW).status_code == 200
    assert sign_in(api(), "jane", PASSWORD).status_code == 401


def test_the_other_sessions_end_and_the_current_one_gets_new_tokens(api):
    jane, paul = UserFactory(), UserFactory()
    here, there, pauls = open_session(jane), open_session(jane), open_session(paul)
    client = api()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {here['access']}")

    new = data(client.post(CHANGE, BODY))

    assert list(new) == ["access", "refresh"]
    for old in (here, there):
        assert error_details(profile(api(), old["access"])) == TOKEN_REFUSED
        assert error_details(refresh(api(), old["refresh"])) == TOKEN_REFUSED
    assert data(profile(api(), new["access"]))["id"] == jane.pk
    assert refresh(api(), new["refresh"]).status_code == 200
    assert profile(api(), pauls["access"]).status_code == 200
    assert Session.objects.live().filter(user=jane).count() == 1


def test_an_anonymous_request_is_refused(api):
    jane = UserFactory()

    response = api().post(CHANGE, BODY)

    assert status_and_code(response) == (401, "not_authenticated")
    assert User.objects.get().password == jane.password


def test_a_wrong_old_password_is_refused(api):
    jane = UserFactory()
    client = api(jane)

    response = client.post(CHANGE, BODY | {"old_password": "wrong-horse-battery"})

    assert error_details(response) == (
        400,
        "validation_error",
        {"old_password": ["This is not the current password."]},
    )
    assert User.objects.get().password == jane.password
    assert client.get("/api/auth/profile/").status_code == 200


@pytest.mark.parametrize(
    "password", ["1", "correct", "password", "12345678", "jane-doe-1", "jane-doe-1@example.com"]
)
def test_a_weak_password_is_refused_and_sessions_stay(api, password):
    jane = UserFactory(username="jane-doe-1")
    client = api(jane)

    response = client.post(CHANGE, BODY | {"new_password": password})

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == ["new_password"]
    assert User.objects.get().password == jane.password
    assert client.get("/api/auth/profile/").status_code == 200


@pytest.mark.parametrize("name", ["old_password", "new_password"])
@pytest.mark.parametrize("value", ["", "p" * 129, None, True, [], {}, "p\0ssword-battery"])
def test_an_invalid_value_is_refused_by_field_name(api, name, value):
    jane = UserFactory()

    response = api(jane).post(CHANGE, BODY | {name: value})

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == [name]
    assert User.objects.get().password == jane.password


@pytest.mark.parametrize("name", BODY)
def test_both_passwords_are_required(api, name):
    jane = UserFactory()
    body = {key: value for key, value in BODY.items() if key != name}

    response = api(jane).post(CHANGE, body)

    assert error_details(response) == (400, "validation_error", {name: ["This field is required."]})


@pytest.mark.parametrize("name", ["user", "id", "username", "user_id"])
def test_a_user_cannot_change_the_password_of_another(api, name):
    paul = UserFactory(username="paul")

    response = api(AdminFactory()).post(CHANGE, BODY | {name: paul.pk})

    assert status_and_code(response) == (400, "unknown_field")
    assert User.objects.get(pk=paul.pk).password == paul.password


def test_response_and_history_contain_no_password(api):
    response = api(UserFactory()).post(CHANGE, BODY)

    assert PASSWORD not in response.content.decode()
    assert NEW not in response.content.decode()
    versions = " ".join(str(row) for row in User.history.values())
    assert User.objects.get().password not in versions


@requires_postgresql
@pytest.mark.django_db(transaction=True)
def test_only_one_of_two_concurrent_changes_succeeds(api):
    for _ in range(4):
        jane = UserFactory()
        one, two = api(jane), api(jane)

        first, second = run_concurrently(
            lambda client=one: client.post(CHANGE, BODY),
            lambda client=two: client.post(CHANGE, BODY),
        )

        won, lost = sorted([first, second], key=lambda answer: answer.status_code)
        assert (won.status_code, lost.status_code in {400, 401}) == (200, True)
        session = Session.objects.live().get(user=jane)
        assert str(session.pk) == decode_claims(data(won)["refresh"])["sid"]
