"""System checks for unsafe production settings.

`check --deploy` reports them; config.production_guard refuses to start when one is serious.
"""

from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import DatabaseError, connections

from accounts.audit import append_only
from appointments import overlap_constraints
from config.cache_url import PER_PROCESS
from consultations.demo import SIGN_INS

MIN_KEY_LENGTH = 50
MIN_UNIQUE_CHARACTERS = 5  # as Django's check security.W009
LOOPBACK_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
ENCRYPTED_SSL_MODES = {"require", "verify-ca", "verify-full"}


@register(Tags.security, deploy=True)
def unsafe_production(app_configs=None, **kwargs):
    if settings.DEBUG:
        return [*_debug_in_public()]
    return [
        *_weak_keys(),
        *_wildcard_hosts(),
        *_demo_accounts(),
        *_unredacted_logging(),
        *_per_worker_cache(),
        *_missing_public_host(),
        *_console_email(),
        *_shared_audit_key(),
        *_missing_checkpoints(),
        *_connections_without_tls(),
    ]


@register()
def check_reschedule_cutoff(app_configs=None, **kwargs):
    """Warn if a patient can reschedule an appointment in order to cancel it.

    Without notice, the default, either is possible until the start of the visit.
    """
    if max(settings.RESCHEDULE_NOTICE_HOURS, 0) >= max(settings.CANCELLATION_NOTICE_HOURS, 0):
        return []
    return [
        CheckWarning(
            "RESCHEDULE_NOTICE_HOURS is shorter than CANCELLATION_NOTICE_HOURS.",
            hint="A patient who is too late to cancel can reschedule first and cancel then.",
            id="config.W003",
        )
    ]


@register(Tags.security)
def check_session_idle_timeout(app_configs=None, **kwargs):
    if timedelta() < settings.SESSION_IDLE <= settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"]:
        yield CheckWarning(
            "SESSION_IDLE_MINUTES is not longer than ACCESS_TOKEN_MINUTES.",
            hint="Clients refresh when the access token expires; the session has ended by then.",
            id="config.W006",
        )


@register()
def check_required_read_audit(app_configs=None, **kwargs):
    if settings.AUDIT_READS_REQUIRED and settings.AUDIT_READS != "sync":
        yield CheckWarning(
            f"AUDIT_READS_REQUIRED does nothing while AUDIT_READS is {settings.AUDIT_READS}.",
            hint="Set AUDIT_READS=sync.",
            id="config.W009",
        )


@register(Tags.database)
def check_database_constraints(app_configs=None, databases=None, **kwargs):
    """Check that the constraints against overlaps and the triggers of the audit exist.

    See appointments.overlap_constraints and accounts.audit.append_only.
    """
    return [
        Error(
            f"The database {alias} lacks {constraint.name}.",
            hint="Run migrate, which creates it.",
            id="config.E004",
        )
        for alias in databases or []
        for constraint in missing_database_objects(connections[alias])
    ]


def missing_database_objects(connection):
    """Return the constraints and triggers that the database lacks."""
    return [*overlap_constraints.missing(connection), *append_only.missing(connection)]


def _weak_keys():
    """Check the retired keys too, because their signatures are still accepted."""
    keys = {
        "SECRET_KEY": [settings.SECRET_KEY],
        "SECRET_KEY_FALLBACKS": settings.SECRET_KEY_FALLBACKS,
        "TOKEN_KEY": [settings.TOKEN_KEY],
        "TOKEN_KEY_FALLBACKS": settings.TOKEN_KEY_FALLBACKS,
        "AUDIT_KEY": [settings.AUDIT_KEY],
        "AUDIT_KEY_FALLBACKS": settings.AUDIT_KEY_FALLBACKS,
    }
    weak = [name for name, values in keys.items() if any(map(_is_weak, values))]
    if settings.SECRET_KEY_IS_GENERATED or weak:
        name = weak[0] if weak else "SECRET_KEY"
        yield Error(
            f"{name} is generated or weak.",
            hint=f"Set {name} to {MIN_KEY_LENGTH} random characters or more.",
            id="config.E001",
        )


def _is_weak(key):
    return (
        key.startswith("django-insecure-")
        or len(key) < MIN_KEY_LENGTH
        or len(set(key)) < MIN_UNIQUE_CHARACTERS
    )


def _wildcard_hosts():
    if "*" in settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS allows any host.",
            hint="Set ALLOWED_HOSTS to the host names of the clinic.",
            id="config.E002",
        )


def _demo_accounts():
    try:
        accounts = get_user_model().objects.filter(username__in=SIGN_INS, is_active=True)
        found = [one.username for one in accounts if one.check_password(SIGN_INS[one.username])]
    except DatabaseError:
        yield CheckWarning(
            "The database could not be searched for demo accounts.",
            hint="Run this check again when the database is available and migrated.",
            id="config.W001",
        )
        return
    if found:
        yield Error(
            f"Demo accounts with published passwords exist: {', '.join(sorted(found))}.",
            hint="Use a fresh database, or change their passwords.",
            id="config.E003",
        )


def _debug_in_public():
    if settings.HTTPS or not set(settings.ALLOWED_HOSTS) <= LOOPBACK_HOSTS:
        yield Error(
            "DEBUG is on, and other machines than this one are served.",
            hint="Set DEBUG=false, because debug pages show settings and records to everybody.",
            id="config.E005",
        )


def _unredacted_logging():
    if settings.LOG_FORMAT != "json":
        yield Error(
            "The log contains personal data.",
            hint="Set LOG_FORMAT=json, or leave it blank.",
            id="config.E006",
        )


def _per_worker_cache():
    if settings.WORKERS > 1 and settings.CACHES["default"]["BACKEND"] == PER_PROCESS:
        yield CheckWarning(
            f"Each of the {settings.WORKERS} workers counts requests separately.",
            hint="Set CACHE_URL, or every throttle allows that many times more requests.",
            id="config.W002",
        )


def _missing_public_host():
    if settings.HTTPS and set(settings.ALLOWED_HOSTS) <= LOOPBACK_HOSTS:
        yield CheckWarning(
            "ALLOWED_HOSTS contains only this machine.",
            hint="Set ALLOWED_HOSTS to the host names of the clinic.",
            id="config.W004",
        )


def _console_email():
    if settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
        yield CheckWarning(
            "E-mails are printed to the log, including links that set a password.",
            hint="Set EMAIL_URL to a mail server.",
            id="config.W005",
        )


def _shared_audit_key():
    if settings.AUDIT_KEY == settings.SECRET_KEY:
        yield CheckWarning(
            "The hash chain of the audit uses SECRET_KEY.",
            hint="Set AUDIT_KEY, or a change of SECRET_KEY breaks the chain.",
            id="config.W007",
        )


def _missing_checkpoints():
    if not settings.AUDIT_CHECKPOINTS:
        yield CheckWarning(
            "No checkpoints of the audit's hash chain are kept.",
            hint="Set AUDIT_CHECKPOINTS; without, a rewritten chain cannot be detected.",
            id="config.W008",
        )


def _connections_without_tls():
    """Check the servers that are not on this machine."""
    database = settings.DATABASES["default"]
    options = database.get("OPTIONS", {})
    hosts = ",".join([database.get("HOST") or "", options.get("hostaddr", "")]).split(",")
    if any(map(_is_remote, hosts)) and options.get("sslmode") not in ENCRYPTED_SSL_MODES:
        yield CheckWarning(
            "The connection to PostgreSQL may be unencrypted.",
            hint="Add ?sslmode=verify-full to DATABASE_URL.",
            id="config.W010",
        )
    cache = urlsplit(settings.CACHE_URL)
    is_verified = "ssl_cert_reqs=none" not in settings.CACHE_URL
    if _is_remote(cache.hostname) and not (cache.scheme == "rediss" and is_verified):
        yield CheckWarning(
            "The connection to Redis is unencrypted, or its certificate is not verified.",
            hint="Use rediss:// in CACHE_URL, without ssl_cert_reqs=none.",
            id="config.W011",
        )
    has_tls = settings.EMAIL_USE_TLS or settings.EMAIL_USE_SSL
    is_smtp = settings.EMAIL_BACKEND.endswith("smtp.EmailBackend")
    if is_smtp and not has_tls and _is_remote(settings.EMAIL_HOST):
        yield CheckWarning(
            "The connection to the mail server is unencrypted.",
            hint="Add ?tls=True or ?ssl=True to EMAIL_URL.",
            id="config.W012",
        )


def _is_remote(host):
    """Return whether the host is another machine; a blank one or a path is a local socket."""
    return bool(host) and not host.startswith("/") and host not in LOOPBACK_HOSTS | {"::1"}
