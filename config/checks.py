"""What must not reach production: `check --deploy` reports it, config.gate refuses to start."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.checks import Error, Tags, register
from django.core.checks import Warning as CheckWarning
from django.db import DatabaseError, connections

from appointments import guards
from consultations.demo import SIGN_INS

SHORTEST_KEY = 50
FEWEST_CHARACTERS = 5  # distinct ones; Django's own measure of a weak key


@register(Tags.security, deploy=True)
def unsafe_production(app_configs=None, **kwargs):
    if settings.DEBUG:
        return []
    return [*_weak_keys(), *_any_host(), *_demo_accounts()]


@register(Tags.security)
def impatient_sessions(app_configs=None, **kwargs):
    if timedelta() < settings.SESSION_IDLE <= settings.SIMPLE_JWT["ACCESS_TOKEN_LIFETIME"]:
        yield CheckWarning(
            "SESSION_IDLE_MINUTES is not longer than ACCESS_TOKEN_MINUTES.",
            hint="Clients refresh when the access token runs out; by then the session is over.",
            id="config.W002",
        )


@register(Tags.database)
def unguarded_database(app_configs=None, databases=None, **kwargs):
    """Whether the databases still refuse overlaps by themselves (appointments.guards)."""
    return [
        Error(
            f"The database {alias} lacks {guard.name}.",
            hint="Run migrate: it makes what is missing.",
            id="config.E004",
        )
        for alias in databases or []
        for guard in guards.missing(connections[alias])
    ]


def _weak_keys():
    """A retired key is asked too: whoever guesses it can sign what we still believe."""
    keys = {
        "SECRET_KEY": [settings.SECRET_KEY],
        "SECRET_KEY_FALLBACKS": settings.SECRET_KEY_FALLBACKS,
        "TOKEN_KEY": [settings.TOKEN_KEY],
        "TOKEN_KEY_FALLBACKS": settings.TOKEN_KEY_FALLBACKS,
    }
    weak = [name for name, values in keys.items() if any(map(_is_weak, values))]
    if settings.SECRET_KEY_IS_GENERATED or weak:
        name = weak[0] if weak else "SECRET_KEY"
        yield Error(
            f"{name} is generated or weak.",
            hint=f"Set {name} to {SHORTEST_KEY} random characters or more.",
            id="config.E001",
        )


def _is_weak(key):
    return (
        key.startswith("django-insecure-")
        or len(key) < SHORTEST_KEY
        or len(set(key)) < FEWEST_CHARACTERS
    )


def _any_host():
    if "*" in settings.ALLOWED_HOSTS:
        yield Error(
            "ALLOWED_HOSTS allows any host.",
            hint="Set ALLOWED_HOSTS to the names the clinic is reached by.",
            id="config.E002",
        )


def _demo_accounts():
    try:
        accounts = get_user_model().objects.filter(username__in=SIGN_INS, is_active=True)
        found = [one.username for one in accounts if one.check_password(SIGN_INS[one.username])]
    except DatabaseError:
        yield CheckWarning(
            "The database could not be asked for demo accounts.",
            hint="Run this check again when it is up and migrated.",
            id="config.W001",
        )
        return
    if found:
        yield Error(
            f"Demo accounts with published passwords exist: {', '.join(sorted(found))}.",
            hint="Use a fresh database, or change their passwords.",
            id="config.E003",
        )
