import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db.models import F

from accounts import passwords, services
from accounts.auth.sessions import open_session
from accounts.models import Session, User
from accounts.tests.factories import (
    PASSWORD,
    AdminFactory,
    DoctorFactory,
    UnverifiedDoctorFactory,
    UserFactory,
)
from accounts.tests.helpers import (
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

LOGIN = "/api/auth/login/"
NEW = "an-even-better-battery"
REFUSED = (
    401,
    "invalid_credentials",
    {"detail": ["The username or the password is wrong."]},
)


class UpgradedHasher(MD5PasswordHasher):
    """A hasher with more iterations, as a new Django release may bring."""

    algorithm = "renewed"


class CountingHasher(MD5PasswordHasher):
    """Counts the hashing work of a login."""

    work = 0

    def encode(self, password, salt):
        CountingHasher.work += 1
        return super().encode(password, salt)


class PasswordChangedDuringCheck(MD5PasswordHasher):
    """Changes the password while the old one is being checked."""

    def verify(self, password, encoded):
        fits = super().verify(password, encoded)
        User.objects.update(password="!changed")
        return fits


class AccountDeactivatedDuringCheck(MD5PasswordHasher):
    def verify(self, password, encoded):
        fits = super().verify(password, encoded)
        User.objects.update(is_active=False)
        return fits


@pytest.mark.parametrize("name", ["jane", "JANE", "jane@example.com", "Jane@EXAMPLE.com", " jane "])
def test_a_user_signs_in_with_username_or_email_in_any_case(api, name):
    UserFactory(username="jane")

    response = sign_in(api(), name, PASSWORD)

    assert data(response)["user"]["username"] == "jane"
    assert response.json()["message"] == "Signed in."


@pytest.mark.parametrize(
    "person", [UserFactory, DoctorFactory, UnverifiedDoctorFactory, AdminFactory]
)
def test_the_response_has_two_tokens_and_the_profile(api, person):
    person(username="jane")

    answer = data(sign_in(api(), "jane", PASSWORD))

    assert list(answer) == ["access", "refresh", "user"]
    assert data(profile(api(), answer["access"])) == answer["user"]
    assert list(data(refresh(api(), answer["refresh"]))) == ["access", "refresh"]


def test_tokens_hold_only_the_user_session_and_lifetime(api):
    jane = UserFactory(username="jane")

    answer = data(sign_in(api(), "jane", PASSWORD))

    access, refresh_ = decode_claims(answer["access"]), decode_claims(answer["refresh"])
    session = Session.objects.get()
    names = {"token_type", "exp", "iat", "jti", "user_id", "iss", "aud", "sid"}
    assert set(access) == set(refresh_) == names
    assert (access["token_type"], refresh_["token_type"]) == ("access", "refresh")
    assert access["exp"] - access["iat"] == 15 * 60
    assert refresh_["exp"] - refresh_["iat"] == 7 * 24 * 3600
    assert access["user_id"] == refresh_["user_id"] == str(jane.pk)
    assert access["sid"] == refresh_["sid"] == str(session.pk)
    assert session.jti == refresh_["jti"]
    assert session.expires_at.timestamp() == refresh_["exp"]


def test_no_token_is_stored_in_the_database(api):
    UserFactory(username="jane")

    answer = data(sign_in(api(), "jane", PASSWORD))

    kept = " ".join(str(value) for row in Session.objects.values() for value in row.values())
    assert decode_claims(answer["refresh"])["jti"] in kept
    for token in (answer["refresh"], answer["access"]):
        assert token not in kept
        assert token.rsplit(".", 1)[1] not in kept


def test_each_login_opens_its_own_session(api):
    UserFactory(username="jane")

    phone = data(sign_in(api(), "jane", PASSWORD))
    tablet = data(sign_in(api(), "jane", PASSWORD))

    assert Session.objects.live().count() == 2
    assert decode_claims(phone["access"])["sid"] != decode_claims(tablet["access"])["sid"]
    assert data(profile(api(), phone["access"])) == data(profile(api(), tablet["access"]))


def test_a_login_updates_last_login_without_a_new_version(api):
    jane = UserFactory(username="jane")

    data(sign_in(api(), "jane", PASSWORD))

    after = User.objects.get()
    assert jane.last_login is None
    assert after.last_login is not None
    assert after.updated_at == jane.updated_at


def test_a_stale_authorization_header_does_not_prevent_a_login(api):
    UserFactory(username="jane")
    client = api()
    client.credentials(HTTP_AUTHORIZATION="Bearer of.bad.news")

    assert sign_in(client, "jane", PASSWORD).status_code == 200


def test_every_failed_login_gets_the_same_response(api):
    UserFactory(username="jane")
    UserFactory(username="paul", is_active=False)
    invited = services.register(
        username="max", email="max@example.com", first_name="Max", last_name="Doe"
    )
    attempts = [
        ("jane", "wrong-horse-battery"),
        ("jane", PASSWORD.upper()),
        ("jane", f" {PASSWORD}"),
        ("nobody", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("paul", PASSWORD),
        ("paul", "wrong-horse-battery"),
        (invited.username, PASSWORD),
        (invited.username, invited.password),
    ]

    answers = [sign_in(api(), name, password) for name, password in attempts]

    assert [error_details(answer) for answer in answers] == [REFUSED] * len(attempts)
    bodies = [answer.json() | {"request_id": ""} for answer in answers]
    assert bodies == [bodies[0]] * len(attempts)
    assert {answer["WWW-Authenticate"] for answer in answers} == {'Bearer realm="api"'}
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("jane", PASSWORD),
        ("jane", "wrong-horse-battery"),
        ("nobody", PASSWORD),
        ("paul", PASSWORD),
    ],
)
def test_every_login_attempt_costs_the_same_hashing_work(api, settings, name, password):
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    UserFactory(username="jane")
    UserFactory(username="paul", is_active=False)
    CountingHasher.work = 0

    sign_in(api(), name, password)

    assert CountingHasher.work == 1


@pytest.mark.parametrize("hasher", [PasswordChangedDuringCheck, AccountDeactivatedDuringCheck])
def test_a_user_changed_during_the_password_check_is_not_signed_in(api, settings, hasher):
    UserFactory(username="jane")
    settings.PASSWORD_HASHERS = [f"{__name__}.{hasher.__name__}"]

    response = sign_in(api(), "jane", PASSWORD)

    assert error_details(response) == REFUSED
    assert not Session.objects.exists()


def test_a_user_loaded_before_a_password_change_opens_no_session():
    stale = UserFactory()
    passwords.change_password(stale, old_password=PASSWORD, new_password=NEW)

    tokens = open_session(stale)

    assert tokens is None
    assert not Session.objects.exists()
    assert User.objects.get().last_login is None


def test_a_user_loaded_before_the_deactivation_opens_no_session():
    stale = UserFactory()
    User.objects.update(is_active=False)

    tokens = open_session(stale)

    assert tokens is None
    assert not Session.objects.exists()


def test_upgrading_the_hash_at_login_ends_no_session(api, settings):
    jane = UserFactory(username="jane")
    before = open_session(jane)
    settings.PASSWORD_HASHERS = [
        f"{__name__}.UpgradedHasher",
        "django.contrib.auth.hashers.MD5PasswordHasher",
    ]

    after = data(sign_in(api(), "jane", PASSWORD))

    assert User.objects.get().password.startswith("renewed$")
    assert profile(api(), before["access"]).status_code == 200
    assert profile(api(), after["access"]).status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("username", value)
        for value in ["", " ", "j" * 255, None, True, [], {"gt": ""}, ["jane"], "ja\0ne"]
    ]
    + [
        ("password", value)
        for value in ["", "p" * 129, None, True, [], {"gt": ""}, [PASSWORD], f"{PASSWORD}\0"]
    ],
)
def test_an_invalid_value_is_refused_by_field_name(api, name, value):
    UserFactory(username="jane")

    response = api().post(LOGIN, {"username": "jane", "password": PASSWORD} | {name: value})

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == [name]
    assert not Session.objects.exists()


@pytest.mark.parametrize("name", ["jane'--", "' OR 1=1 --", "%", "j%", "j_ne", "*", "\\", "💊"])
def test_a_username_is_not_a_pattern(api, name):
    UserFactory(username="jane")

    assert error_details(sign_in(api(), name, PASSWORD)) == REFUSED


@requires_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_concurrent_login_does_not_survive_a_password_change(api):
    """A login after the change is refused; a session opened before the change is ended."""
    jane = UserFactory(username="jane")
    old, new = PASSWORD, NEW

    for _ in range(6):
        before = User.objects.get()
        client = api(before)
        change = {"old_password": old, "new_password": new}

        signed_in, again, changed = run_concurrently(
            lambda password=old: sign_in(api(), "jane", password),
            lambda person=before: open_session(person),
            lambda client=client, change=change: client.post("/api/auth/password/change/", change),
        )

        own = data(changed)
        assert signed_in.status_code in {200, 401}
        if signed_in.status_code == 200:
            assert profile(api(), data(signed_in)["access"]).status_code == 401
        if again is not None:
            assert profile(api(), again["access"]).status_code == 401
        assert profile(api(), own["access"]).status_code == 200
        assert Session.objects.live().filter(user=jane).count() == 1
        old, new = new, old
        User.objects.update(last_login=F("created_at"))
