"""Argon2id is the password hasher; hashes by PBKDF2 are upgraded at login."""

import pytest
from django.contrib.auth import hashers
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from accounts import passwords
from accounts.auth.hashers import ClinicArgon2Hasher
from accounts.auth.sessions import open_session
from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.helpers import data, profile, refresh, sign_in

pytestmark = pytest.mark.django_db

ARGON2 = "accounts.auth.hashers.ClinicArgon2Hasher"
PBKDF2 = "django.contrib.auth.hashers.PBKDF2PasswordHasher"
NEW = "an-even-better-battery"


class FastPBKDF2(PBKDF2PasswordHasher):
    """PBKDF2 with few iterations."""

    iterations = 1000


@pytest.fixture
def pbkdf2_user(settings):
    """Jane, whose password was hashed with PBKDF2, under settings that prefer Argon2id."""
    settings.PASSWORD_HASHERS = [f"{__name__}.FastPBKDF2"]
    jane = UserFactory(username="jane")
    settings.PASSWORD_HASHERS = [ARGON2, f"{__name__}.FastPBKDF2"]
    assert jane.password.startswith("pbkdf2_sha256$")
    return jane


def test_production_uses_argon2id_and_accepts_pbkdf2():
    from config import settings as real  # noqa: PLC0415 - the tests' own hasher is a quick one

    assert real.PASSWORD_HASHERS == [ARGON2, PBKDF2]


def test_a_hash_costs_at_least_the_recommended_minimum(settings):
    settings.PASSWORD_HASHERS = [ARGON2]

    encoded = hashers.make_password(PASSWORD)

    costs = dict(part.split("=") for part in encoded.split("$")[3].split(","))
    assert encoded.startswith("argon2$argon2id$v=19$")
    assert int(costs["m"]) >= 19 * 1024
    assert int(costs["t"]) >= 2
    assert costs["p"] == "1"
    assert hashers.check_password(PASSWORD, encoded)
    assert not hashers.check_password(NEW, encoded)


def test_a_login_upgrades_an_old_hash_and_keeps_the_sessions(api, pbkdf2_user):
    elsewhere = open_session(pbkdf2_user)
    version = User.objects.get().version

    here = data(sign_in(api(), "jane", PASSWORD))

    jane = User.objects.get()
    assert jane.password.startswith("argon2$argon2id$")
    assert jane.version == version
    assert profile(api(), here["access"]).status_code == 200
    assert profile(api(), elsewhere["access"]).status_code == 200
    assert refresh(api(), elsewhere["refresh"]).status_code == 200
    assert sign_in(api(), "jane", PASSWORD).status_code == 200


def test_a_wrong_password_upgrades_nothing(api, pbkdf2_user):
    response = sign_in(api(), "jane", NEW)

    assert response.status_code == 401
    assert User.objects.get().password == pbkdf2_user.password


def test_a_concurrent_password_change_wins_over_the_upgrade(api, pbkdf2_user, monkeypatch):
    """The password changes after the login has verified it and before the upgrade is saved."""
    encode = ClinicArgon2Hasher.encode

    def meanwhile(self, password, salt):
        monkeypatch.undo()
        passwords.change_password(pbkdf2_user, old_password=PASSWORD, new_password=NEW)
        return encode(self, password, salt)

    monkeypatch.setattr(ClinicArgon2Hasher, "encode", meanwhile)

    response = sign_in(api(), "jane", PASSWORD)

    assert response.status_code == 401
    assert sign_in(api(), "jane", PASSWORD).status_code == 401
    assert sign_in(api(), "jane", NEW).status_code == 200


def test_two_concurrent_logins_upgrade_the_hash_once_and_both_succeed(
    api, pbkdf2_user, monkeypatch
):
    encode = ClinicArgon2Hasher.encode
    answers = []

    def meanwhile(self, password, salt):
        monkeypatch.undo()
        answers.append(sign_in(api(), "jane", PASSWORD))
        return encode(self, password, salt)

    monkeypatch.setattr(ClinicArgon2Hasher, "encode", meanwhile)

    answers.append(sign_in(api(), "jane", PASSWORD))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert User.objects.get().password.startswith("argon2$")
