"""Stops the start of the application if its settings are unsafe in production."""

import logging

from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError

logger = logging.getLogger(__name__)


def refuse_unsafe_production():
    """Raise ImproperlyConfigured for errors of config.checks, and log its warnings.

    The application starts without a database, so that it serves as soon as the database is back.
    """
    found = run_checks(tags=[Tags.security], include_deployment_checks=True)
    try:
        found += run_checks(tags=[Tags.database], databases=["default"])
    except DatabaseError:
        logger.warning("The database could not be checked, because it does not answer")
    if errors := [one for one in found if (one.id or "").startswith("config.E")]:
        raise ImproperlyConfigured("\n".join(f"{one.msg} {one.hint}" for one in errors))
    for one in found:
        if (one.id or "").startswith("config.W"):
            logger.warning("%s %s %s", one.id, one.msg, one.hint)
