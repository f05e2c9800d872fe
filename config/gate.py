"""The gate before production."""

from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured


def refuse_unsafe_production():
    """Raise ImproperlyConfigured for what config.checks finds serious.

    A database that is down is only warned of there: it stops nobody from starting.
    """
    found = run_checks(tags=[Tags.security], include_deployment_checks=True)
    if errors := [one for one in found if one.id.startswith("config.E")]:
        raise ImproperlyConfigured("\n".join(f"{one.msg} {one.hint}" for one in errors))
