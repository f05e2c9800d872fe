"""What production refuses."""

from datetime import timedelta

import pytest
from django.core.exceptions import ImproperlyConfigured

from accounts.models import User
from accounts.services import register
from config import checks
from config.gate import refuse_unsafe_production
from config.keys import generated_key
from consultations.demo import SIGN_INS

STRONG = "kq2P-w0zX8vLr5Tn_9hJdYb3mGfRc7AsEu1oViN6xQtBlZpHyC4"


@pytest.fixture
def production(settings, db):
    settings.DEBUG = False
    settings.SECRET_KEY = STRONG
    settings.SECRET_KEY_IS_GENERATED = False
    settings.ALLOWED_HOSTS = ["clinic.example"]
    return settings


def found():
    return [one.id for one in checks.unsafe_production()]


def test_a_clean_installation_passes(production):
    assert found() == []

    refuse_unsafe_production()


@pytest.mark.parametrize(
    ("setting", "value", "finding"),
    [
        ("SECRET_KEY_IS_GENERATED", True, "config.E001"),
        ("SECRET_KEY", "short", "config.E001"),
        ("SECRET_KEY", "a" * 80, "config.E001"),
        ("SECRET_KEY", "django-insecure-" + STRONG, "config.E001"),
        ("SECRET_KEY_FALLBACKS", [STRONG, "short"], "config.E001"),
        ("TOKEN_KEY", "short", "config.E001"),
        ("TOKEN_KEY_FALLBACKS", [STRONG, "a" * 80], "config.E001"),
        ("ALLOWED_HOSTS", ["*"], "config.E002"),
    ],
)
def test_production_refuses_to_start(production, setting, value, finding):
    setattr(production, setting, value)

    assert found() == [finding]
    with pytest.raises(ImproperlyConfigured):
        refuse_unsafe_production()


@pytest.mark.parametrize(("idle", "findings"), [(0, []), (15, ["config.W002"]), (16, [])])
def test_sessions_that_end_before_their_tokens_are_refreshed_are_warned_of(
    settings, idle, findings
):
    settings.SESSION_IDLE = timedelta(minutes=idle)

    assert [one.id for one in checks.impatient_sessions()] == findings


def test_production_refuses_an_account_with_a_published_password(production):
    register(
        username="admin",
        email="admin@example.com",
        password=None,
        user_type="admin",
    )
    assert found() == []

    admin = User.objects.get()
    admin.set_password(SIGN_INS["admin"])
    admin.save()

    assert found() == ["config.E003"]
    with pytest.raises(ImproperlyConfigured):
        refuse_unsafe_production()


def test_development_may_do_all_that(production):
    production.DEBUG = True
    production.ALLOWED_HOSTS = ["*"]
    production.SECRET_KEY_IS_GENERATED = True

    refuse_unsafe_production()


def test_a_generated_key_is_made_once_and_is_its_owners(tmp_path):
    path = tmp_path / ".secret_key"

    first, second = generated_key(path), generated_key(path)

    assert first == second
    assert len(first) >= 50
    assert path.stat().st_mode & 0o777 == 0o600
