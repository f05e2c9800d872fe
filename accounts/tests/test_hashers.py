"""Argon2id, and the PBKDF2 hashes of before."""

import pytest
from django.contrib.auth import hashers
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from accounts import services
from accounts.auth.hashers import ClinicArgon2Hasher
from accounts.auth.sessions import open_session
from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.helpers import data, profile, refresh, sign_in

pytestmark = pytest.mark.django_db

ARGON2 = "accounts.auth.hashers.ClinicArgon2Hasher"
PBKDF2 = "django.contrib.auth.hashers.PBKDF2PasswordHasher"
NEW = "an-even-better-battery"


class QuickPBKDF2(PBKDF2PasswordHasher):
    """Hashes as they were, without the wait."""

    iterations = 1000


@pytest.fixture
def hashed_before(settings):
    """Jane, whose password was hashed by PBKDF2, after the change to Argon2id."""
    settings.PASSWORD_HASHERS = [f"{__name__}.QuickPBKDF2"]
    jane = UserFactory(username="jane")
    settings.PASSWORD_HASHERS = [ARGON2, f"{__name__}.QuickPBKDF2"]
    assert jane.password.startswith("pbkdf2_sha256$")
    return jane


def test_production_hashes_with_argon2id_and_still_reads_what_it_hashed_before():
    from config import settings as real  # noqa: PLC0415 - the tests' own hasher is a quick one

    assert real.PASSWORD_HASHERS == [ARGON2, PBKDF2]


def test_a_hash_costs_more_than_the_floor(settings):
    settings.PASSWORD_HASHERS = [ARGON2]

    encoded = hashers.make_password(PASSWORD)

    costs = dict(part.split("=") for part in encoded.split("$")[3].split(","))
    assert encoded.startswith("argon2$argon2id$v=19$")
    assert int(costs["m"]) >= 19 * 1024
    assert int(costs["t"]) >= 2
    assert costs["p"] == "1"
    assert hashers.check_password(PASSWORD, encoded)
    assert not hashers.check_password(NEW, encoded)


def test_an_older_hash_signs_in_and_is_renewed_and_ends_no_session(api, hashed_before):
    elsewhere = open_session(hashed_before)
    version = User.objects.get().version

    here = data(sign_in(api(), "jane", PASSWORD))

    jane = User.objects.get()
    assert jane.password.startswith("argon2$argon2id$")
    assert jane.version == version
    assert profile(api(), here["access"]).status_code == 200
    assert profile(api(), elsewhere["access"]).status_code == 200
    assert refresh(api(), elsewhere["refresh"]).status_code == 200
    assert sign_in(api(), "jane", PASSWORD).status_code == 200


def test_a_wrong_password_renews_nothing(api, hashed_before):
    response = sign_in(api(), "jane", NEW)

    assert response.status_code == 401
    assert User.objects.get().password == hashed_before.password


def test_a_password_changed_while_the_old_hash_is_renewed_stays_changed(
    api, hashed_before, monkeypatch
):
    """The sign-in has verified the old password and hashes it anew; the owner is quicker."""
    encode = ClinicArgon2Hasher.encode

    def meanwhile(self, password, salt):
        monkeypatch.undo()
        services.change_password(hashed_before, old_password=PASSWORD, new_password=NEW)
        return encode(self, password, salt)

    monkeypatch.setattr(ClinicArgon2Hasher, "encode", meanwhile)

    response = sign_in(api(), "jane", PASSWORD)

    assert response.status_code == 401
    assert sign_in(api(), "jane", PASSWORD).status_code == 401
    assert sign_in(api(), "jane", NEW).status_code == 200


def test_two_sign_ins_at_once_renew_one_hash_and_both_succeed(api, hashed_before, monkeypatch):
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
