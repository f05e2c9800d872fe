"""System checks and startup checks of production settings."""

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


def findings():
    return [one.id for one in checks.unsafe_production()]


def test_a_correct_configuration_passes(production):
    assert findings() == []

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

    assert findings() == [finding]
    with pytest.raises(ImproperlyConfigured):
        refuse_unsafe_production()


@pytest.mark.parametrize(
    ("host", "ssl_mode", "findings"),
    [
        ("db.example", None, ["config.W010"]),
        ("db.example", "prefer", ["config.W010"]),
        ("db.example", "verify-full", []),
        ("127.0.0.1,db.example", None, ["config.W010"]),
        ("/var/run/postgresql", None, []),
        ("127.0.0.1", None, []),
    ],
)
def test_a_database_on_another_machine_without_tls_is_a_warning(
    settings, monkeypatch, host, ssl_mode, findings
):
    database = {"HOST": host, "OPTIONS": {"sslmode": ssl_mode} if ssl_mode else {}}
    monkeypatch.setitem(settings.DATABASES, "default", database)

    assert [one.id for one in checks._connections_without_tls()] == findings


@pytest.mark.parametrize(
    ("url", "findings"),
    [
        ("redis://cache.example:6379/0", ["config.W011"]),
        ("rediss://cache.example:6379/0", []),
        ("rediss://cache.example:6379/0?ssl_cert_reqs=none", ["config.W011"]),
        ("redis://127.0.0.1:6379/0", []),
        ("file:///srv/clinic/cache", []),
    ],
)
def test_a_cache_on_another_machine_without_tls_is_a_warning(settings, url, findings):
    settings.CACHE_URL = url

    assert [one.id for one in checks._connections_without_tls()] == findings


@pytest.mark.parametrize(
    ("host", "tls", "findings"),
    [
        ("mail.example", False, ["config.W012"]),
        ("mail.example", True, []),
        ("localhost", False, []),
    ],
)
def test_a_mail_server_without_tls_is_a_warning(settings, host, tls, findings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_USE_TLS = host, tls

    assert [one.id for one in checks._connections_without_tls()] == findings


@pytest.mark.parametrize(("idle", "findings"), [(0, []), (15, ["config.W006"]), (16, [])])
def test_a_session_limit_shorter_than_the_token_lifetime_is_a_warning(settings, idle, findings):
    settings.SESSION_IDLE = timedelta(minutes=idle)

    assert [one.id for one in checks.check_session_idle_timeout()] == findings


def test_production_refuses_accounts_with_published_passwords(production):
    register(
        username="admin",
        email="admin@example.com",
        password=None,
        user_type="admin",
    )
    assert findings() == []

    admin = User.objects.get()
    admin.set_password(SIGN_INS["admin"])
    admin.save()

    assert findings() == ["config.E003"]
    with pytest.raises(ImproperlyConfigured):
        refuse_unsafe_production()


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1"], ["localhost", "127.0.0.1", "[::1]"]])
def test_local_development_may_start_with_debug(production, hosts):
    production.DEBUG = True
    production.ALLOWED_HOSTS = hosts
    production.SECRET_KEY_IS_GENERATED = True
    production.LOG_FORMAT = "console"

    assert findings() == []
    refuse_unsafe_production()


def test_a_secret_key_is_generated_once_and_readable_by_its_owner_only(tmp_path):
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
def test_debug_with_https_or_public_hosts_refuses_to_start(production, https, hosts):
    production.DEBUG, production.HTTPS, production.ALLOWED_HOSTS = True, https, hosts

    assert findings() == ["config.E005"]
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
def test_production_starts_with_a_logged_warning(production, caplog, changes, finding):
    for setting, value in changes.items():
        setattr(production, setting, value)

    refuse_unsafe_production()

    assert findings() == [finding]
    assert finding in caplog.text


@pytest.mark.parametrize("url", ["file:///srv/clinic/cache", "redis://127.0.0.1:6379/0"])
def test_a_shared_cache_passes_with_several_workers(production, url):
    production.WORKERS = 4
    production.CACHES = {"default": parse_cache_url(url)}

    assert findings() == []


@pytest.mark.parametrize(
    ("cancellation", "reschedule", "findings"),
    [
        (0, 0, []),
        (24, 0, ["config.W003"]),
        (24, 12, ["config.W003"]),
        (24, 24, []),
        (0, 24, []),
        (-1, -7, []),
    ],
)
def test_a_cancellation_cut_off_that_rescheduling_avoids_is_a_warning(
    settings, cancellation, reschedule, findings
):
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
def test_required_read_events_that_are_not_written_immediately_are_a_warning(
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


def test_check_deploy_passes_with_https(database):
    secure = check_deploy(HTTPS="true", DATABASE_URL=database)
    plain = check_deploy(DATABASE_URL=database)

    assert (secure.returncode, secure.stderr) == (0, "")
    assert secure.stdout == "System check identified no issues (0 silenced).\n"
    # Without TLS: no HSTS, no redirect, cookies over plain HTTP.
    assert plain.returncode == 1
    assert set(re.findall(r"\((\w+\.\w+)\)", plain.stderr)) == {
        "security.W004",
        "security.W008",
        "security.W012",
        "security.W016",
    }
