"""The gate before production."""

import logging

from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

logger = logging.getLogger(__name__)


def refuse_unsafe_production():
    """Raise ImproperlyConfigured for what config.checks finds serious; log what else it finds.

    A database that is down stops nobody from starting: service returns when it does.
    """
    found = run_checks(tags=[Tags.security], include_deployment_checks=True)
    try:
        found += run_checks(tags=[Tags.database], databases=["default"])
    except DatabaseError:
        logger.warning("The database could not be checked: it does not answer")
    if errors := [one for one in found if one.id.startswith("config.E")]:
        raise ImproperlyConfigured("\n".join(f"{one.msg} {one.hint}" for one in errors))
    for one in found:
        if one.id.startswith("config.W"):
            logger.warning("%s %s %s", one.id, one.msg, one.hint)
