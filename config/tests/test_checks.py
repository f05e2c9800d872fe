"""What production refuses, and what it is warned of."""

import os
import re
import subprocess
import sys
from datetime import timedelta

import pytest
from django.conf import settings as real_settings
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from accounts.models import User
from accounts.services import register
from config import checks
from config.cache_url import parse_cache_url
from config.production_guard import refuse_unsafe_production
from config.secret_key import load_or_create_key
from consultations.demo import SIGN_INS

BASE_DIR = real_settings.BASE_DIR
STRONG = "kq2P-w0zX8vLr5Tn_9hJdYb3mGfRc7AsEu1oViN6xQtBlZpHyC4"


@pytest.fixture
def production(settings, db):
    settings.DEBUG = False
    settings.SECRET_KEY = STRONG
    settings.SECRET_KEY_IS_GENERATED = False
    settings.AUDIT_KEY = STRONG[::-1]
    settings.AUDIT_CHECKPOINTS = "/var/log/clinic/checkpoints"
    settings.ALLOWED_HOSTS = ["clinic.example"]
    settings.LOG_FORMAT = "json"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
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
        ("AUDIT_KEY", "short", "config.E001"),
        ("AUDIT_KEY_FALLBACKS", ["short"], "config.E001"),
        ("ALLOWED_HOSTS", ["*"], "config.E002"),
        ("LOG_FORMAT", "console", "config.E006"),
    ],
)
def test_production_refuses_to_start(production, setting, value, finding):
    setattr(production, setting, value)

    assert found() == [finding]
    with pytest.raises(ImproperlyConfigured):
        refuse_unsafe_production()


@pytest.mark.parametrize(("idle", "findings"), [(0, []), (15, ["config.W006"]), (16, [])])
def test_sessions_that_end_before_their_tokens_are_refreshed_are_warned_of(
    settings, idle, findings
):
    settings.SESSION_IDLE = timedelta(minutes=idle)

    assert [one.id for one in checks.check_session_idle_timeout()] == findings


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


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1"], ["localhost", "127.0.0.1", "[::1]"]])
def test_development_on_this_machine_may_do_all_that(production, hosts):
    production.DEBUG = True
    production.ALLOWED_HOSTS = hosts
    production.SECRET_KEY_IS_GENERATED = True
    production.LOG_FORMAT = "console"

    assert found() == []
    refuse_unsafe_production()


def test_a_generated_key_is_made_once_and_is_its_owners(tmp_path):
    path = tmp_path / ".secret_key"

    first, second = load_or_create_key(path), load_or_create_key(path)

    assert first == second
    assert len(first) >= 50
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("https", "hosts"),
    [
        (True, ["localhost"]),
        (False, ["clinic.example"]),
        (False, ["localhost", "192.0.2.7"]),
        (False, [".localhost"]),
        (False, ["*"]),
    ],
)
def test_debug_behind_https_or_for_others_than_this_machine_does_not_start(
    production, https, hosts
):
    production.DEBUG, production.HTTPS, production.ALLOWED_HOSTS = True, https, hosts

    assert found() == ["config.E005"]
    with pytest.raises(ImproperlyConfigured):
        refuse_unsafe_production()


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ({"WORKERS": 2}, "config.W002"),
        ({"HTTPS": True, "ALLOWED_HOSTS": ["localhost", "127.0.0.1", "[::1]"]}, "config.W004"),
        ({"HTTPS": True, "ALLOWED_HOSTS": []}, "config.W004"),
        ({"AUDIT_KEY": STRONG}, "config.W007"),
        ({"AUDIT_CHECKPOINTS": ""}, "config.W008"),
        ({"EMAIL_BACKEND": "django.core.mail.backends.console.EmailBackend"}, "config.W005"),
    ],
)
def test_production_starts_and_is_warned_in_the_log(production, caplog, changes, finding):
    for setting, value in changes.items():
        setattr(production, setting, value)

    refuse_unsafe_production()

    assert found() == [finding]
    assert finding in caplog.text


@pytest.mark.parametrize("url", ["file:///srv/clinic/cache", "redis://127.0.0.1:6379/0"])
def test_workers_that_share_a_cache_are_fine(production, url):
    production.WORKERS = 4
    production.CACHES = {"default": parse_cache_url(url)}

    assert found() == []


@pytest.mark.parametrize(
    ("cancellation", "reschedule", "findings"),
    [(0, 0, []), (24, 0, ["config.W003"]), (24, 12, ["config.W003"]), (24, 24, []), (0, 24, [])],
)
def test_a_cut_off_that_can_be_walked_round_is_told(settings, cancellation, reschedule, findings):
    settings.CANCELLATION_NOTICE_HOURS = cancellation
    settings.RESCHEDULE_NOTICE_HOURS = reschedule

    assert [one.id for one in run_checks() if one.id.startswith("config.")] == findings


@pytest.mark.parametrize(
    ("required", "reads", "findings"),
    [
        (False, "buffered", []),
        (True, "sync", []),
        (True, "buffered", ["config.W009"]),
        (True, "off", ["config.W009"]),
    ],
)
def test_reads_that_are_required_and_not_written_at_once_are_told(
    settings, required, reads, findings
):
    settings.AUDIT_READS, settings.AUDIT_READS_REQUIRED = reads, required

    assert [one.id for one in run_checks() if one.id.startswith("config.W009")] == findings


def check_deploy(**variables):
    return subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=BASE_DIR,
        env={
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "SECRET_KEY": STRONG,
            "AUDIT_KEY": STRONG[::-1],
            "AUDIT_CHECKPOINTS": "/var/log/clinic/checkpoints",
            "ALLOWED_HOSTS": "clinic.example",
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def database(tmp_path):
    url = f"sqlite:///{tmp_path}/db.sqlite3"
    variables = {"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, "SECRET_KEY": STRONG}
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=BASE_DIR,
        env={**variables, "DATABASE_URL": url},
        check=True,
    )
    return url


def test_behind_https_django_s_own_check_has_nothing_to_say(database):
    secure = check_deploy(HTTPS="true", DATABASE_URL=database)
    plain = check_deploy(DATABASE_URL=database)

    assert (secure.returncode, secure.stderr) == (0, "")
    assert secure.stdout == "System check identified no issues (0 silenced).\n"
    # Without TLS in front: no HSTS, no redirect, cookies in the clear. Honest, and all of it.
    assert plain.returncode == 1
    assert set(re.findall(r"\((\w+\.\w+)\)", plain.stderr)) == {
        "security.W004",
        "security.W008",
        "security.W012",
        "security.W016",
    }
