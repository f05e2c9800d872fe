"""Settings, `.env.example` and the documentation of the variables agree."""

import gc
import os
import re
import subprocess
import sys
from runpy import run_path

import pytest
from django.conf import settings

RATES = settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]
THROTTLES = {
    "THROTTLE_LOGIN",
    "THROTTLE_REGISTER",
    "THROTTLE_REGISTER_NETWORK",
    "THROTTLE_USER",
}


def variables_read(*names):
    return "".join((settings.BASE_DIR / name).read_text() for name in names)


def test_env_example_lists_exactly_the_variables_that_are_read():
    source = variables_read("config/settings.py", "gunicorn.conf.py")
    named = set(re.findall(r"^([A-Z_]+)=", variables_read(".env.example"), re.MULTILINE))

    assert named == set(re.findall(r'(?:config|read)\(\s*"([A-Z_]+)"', source)) | THROTTLES
    assert {f"THROTTLE_{scope.upper()}" for scope in RATES} == THROTTLES


def test_environment_variables_are_read_in_the_settings_only():
    readers = {
        str(path.relative_to(settings.BASE_DIR))
        for folder in ("config", "accounts", "patients", "appointments", "consultations")
        for path in (settings.BASE_DIR / folder).rglob("*.py")
        if "tests" not in path.parts and re.search(r"os\.environ\[|decouple", path.read_text())
    }

    assert readers == {"config/settings.py", "config/environment.py"}


def with_environment(expression, **variables):
    """Evaluates an expression over the settings in a new process."""
    code = f"import config.settings as s; print(({expression}))"
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "ENV_FILE": os.devnull, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("variables", "expression", "expected"),
    [
        ({}, "s.DEBUG, s.DOCTOR_VERIFICATION_REQUIRED", "(False, True)"),
        ({"DEBUG": "true"}, "s.DEBUG, s.DOCTOR_VERIFICATION_REQUIRED", "(True, False)"),
        (
            {"DEBUG": "true", "DOCTOR_VERIFICATION_REQUIRED": "true"},
            "s.DOCTOR_VERIFICATION_REQUIRED",
            "True",
        ),
        ({"DATABASE_URL": ""}, "s.DATABASES['default']['ENGINE']", "django.db.backends.sqlite3"),
        (
            {"DATABASE_URL": "postgres://a:b@c:5/d"},
            "s.DATABASES['default']['ENGINE'], s.DATABASES['default']['NAME']",
            "('django.db.backends.postgresql', 'd')",
        ),
        ({"DATABASE_URL": ""}, "'options' in s.DATABASES['default']['OPTIONS']", "False"),
        (
            {
                "DATABASE_URL": "postgres://a@c/d?options=-c%20search_path%3Dx",
                "LOCK_TIMEOUT_MS": "7",
            },
            "s.DATABASES['default']['OPTIONS']['options']",
            (
                "-c statement_timeout=15000 -c lock_timeout=7"
                " -c idle_in_transaction_session_timeout=30000 -c jit=off"
                " -c pg_trgm.word_similarity_threshold=0.5 -c search_path=x"
            ),
        ),
        (
            {
                "DATABASE_URL": "postgres://a@c/d",
                "STATEMENT_TIMEOUT_MS": "0",
                "IDLE_TRANSACTION_TIMEOUT_MS": "9",
            },
            "s.DATABASES['default']['OPTIONS']['options']",
            (
                "-c statement_timeout=0 -c lock_timeout=5000"
                " -c idle_in_transaction_session_timeout=9 -c jit=off"
                " -c pg_trgm.word_similarity_threshold=0.5"
            ),
        ),
        ({}, "s.ALLOWED_HOSTS", "['localhost', '127.0.0.1', '[::1]']"),
        ({"DEBUG": "true"}, "set(s.REST_FRAMEWORK['DEFAULT_THROTTLE_RATES'].values())", "{None}"),
        (
            {"THROTTLE_LOGIN": "3/min"},
            "s.REST_FRAMEWORK['DEFAULT_THROTTLE_RATES']['login']",
            "3/min",
        ),
        (
            {"BROWSABLE_API": "false"},
            "[len(s.REST_FRAMEWORK[f'DEFAULT_{x}_CLASSES']) for x in ('RENDERER', 'PARSER')]",
            "[1, 1]",
        ),
        ({"HTTPS": "true"}, "s.SECURE_SSL_REDIRECT, s.SESSION_COOKIE_SECURE", "(True, True)"),
        (
            {"HTTPS": "true"},
            "s.SESSION_COOKIE_NAME, s.CSRF_COOKIE_NAME",
            "('__Host-sessionid', '__Host-csrftoken')",
        ),
        ({}, "s.LOG_FORMAT, s.LOG_LEVEL, s.EMAIL_PORT", "('json', 'INFO', 25)"),
        (
            {"DEBUG": "true"},
            "s.LOG_FORMAT, s.EMAIL_BACKEND",
            "('console', 'django.core.mail.backends.console.EmailBackend')",
        ),
        ({"DEBUG": "true", "LOG_FORMAT": "json"}, "s.LOG_FORMAT", "json"),
        ({"LOG_LEVEL": "warning"}, "s.LOGGING['root']['level']", "WARNING"),
        ({"CACHE_URL": "file:///c"}, "s.CACHES['default']['LOCATION']", "/c"),
        ({}, "s.WORKERS", "1"),
        ({"WEB_CONCURRENCY": "3"}, "s.WORKERS", "3"),
        ({"BOOKING_NOTICE_MINUTES": "30"}, "s.BOOKING_NOTICE_MINUTES", "30"),
        ({"BOOKING_HORIZON_DAYS": "90"}, "s.BOOKING_HORIZON_DAYS", "90"),
        ({"CANCELLATION_NOTICE_HOURS": "24"}, "s.CANCELLATION_NOTICE_HOURS", "24"),
        ({"RESCHEDULE_NOTICE_HOURS": "12"}, "s.RESCHEDULE_NOTICE_HOURS", "12"),
        ({"MAX_COMING_APPOINTMENTS": "3"}, "s.MAX_COMING_APPOINTMENTS", "3"),
        ({}, "s.TOKEN_KEY == s.SECRET_KEY, s.TOKEN_KEY_FALLBACKS", "(True, [])"),
        (
            {"SECRET_KEY_FALLBACKS": "old,older"},
            "s.SECRET_KEY_FALLBACKS, s.TOKEN_KEY_FALLBACKS",
            "(['old', 'older'], ['old', 'older'])",
        ),
        (
            {"TOKEN_KEY": "t", "SECRET_KEY_FALLBACKS": "old"},
            "s.TOKEN_KEY, s.SIMPLE_JWT['SIGNING_KEY'], s.TOKEN_KEY_FALLBACKS",
            "('t', 't', [])",
        ),
        (
            {"TOKEN_KEY": "t", "TOKEN_KEY_FALLBACKS": "u,v"},
            "s.SECRET_KEY_FALLBACKS, s.TOKEN_KEY_FALLBACKS",
            "([], ['u', 'v'])",
        ),
        ({}, "str(s.SESSION_IDLE), str(s.SESSION_ABSOLUTE)", "('1:00:00', '12:00:00')"),
        (
            {"DEBUG": "true"},
            "bool(s.SESSION_IDLE), bool(s.SESSION_ABSOLUTE)",
            "(False, False)",
        ),
        (
            {"SESSION_IDLE_MINUTES": "0", "SESSION_ABSOLUTE_HOURS": "0"},
            "bool(s.SESSION_IDLE), bool(s.SESSION_ABSOLUTE)",
            "(False, False)",
        ),
        ({"SESSION_IDLE_MINUTES": "30"}, "s.SESSION_IDLE", "0:30:00"),
        ({"SESSION_ABSOLUTE_HOURS": "12"}, "s.SESSION_ABSOLUTE", "12:00:00"),
        ({"ACCESS_TOKEN_MINUTES": "5"}, "s.SIMPLE_JWT['ACCESS_TOKEN_LIFETIME']", "0:05:00"),
    ],
)
def test_a_variable_has_its_documented_effect(variables, expression, expected):
    secret = {"SECRET_KEY": "k" * 50}

    assert with_environment(expression, **secret, **variables) == expected


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("API_DOCS", "/api/docs/"),
        ("API_DOCS", "/api/schema/"),
        ("BROWSABLE_API", "/api-auth/login/"),
    ],
)
def test_disabled_features_are_absent(variable, address):
    code = (
        "import django; django.setup()\n"
        "from django.urls import resolve, Resolver404\n"
        f"try: print(resolve({address!r}).view_name)\n"
        "except Resolver404: print('gone')"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "k" * 50,
            "DJANGO_SETTINGS_MODULE": "config.settings",
            variable: "false",
        },
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() in ("gone", "no-such-path")


def test_gunicorn_starts_with_its_configuration_only():
    done = subprocess.run(
        [sys.executable, "-m", "gunicorn", "--check-config"],
        cwd=settings.BASE_DIR,
        env={
            "PATH": os.environ["PATH"],
            "ENV_FILE": os.devnull,
            "SECRET_KEY": "kq2P-w0zX8vLr5Tn_9hJdYb3mGfRc7AsEu1oViN6xQtBlZpHyC4",
            "DATABASE_URL": "sqlite://:memory:",
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_gunicorn_reads_the_file_of_the_settings(tmp_path):
    (tmp_path / "clinic.env").write_text("BIND=127.0.0.1:9999\nWEB_CONCURRENCY=3\nTHREADS=\n")
    code = "from runpy import run_path; c = run_path('gunicorn.conf.py'); "
    code += "print(c['bind'], c['workers'], c['threads'], repr(c['forwarder_headers']))"

    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "ENV_FILE": str(tmp_path / "clinic.env")},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.split() == ["127.0.0.1:9999", "3", "8", "''"]


def test_gunicorn_workers_freeze_objects_loaded_at_startup():
    configuration = run_path(str(settings.BASE_DIR / "gunicorn.conf.py"))
    try:
        configuration["post_worker_init"](None)
        assert not any(one is settings._wrapped for one in gc.get_objects())
    finally:
        gc.unfreeze()
