"""Classifies temporary infrastructure errors (database unavailable, disk full): status 503."""

import errno
import logging
from typing import TypeGuard

from django.db import InterfaceError, InternalError, OperationalError
from django.utils.translation import gettext as _

from config.db.transactions import sqlstate

logger = logging.getLogger(__name__)

# The database is unreachable or too slow, or it ended a transaction because of a lock timeout, a
# deadlock or a serialization failure. The same request may succeed later.
DATABASE_FAULTS = (OperationalError, InterfaceError)

# Temporary errors that the driver raises as InternalError: a read-only server (a standby, a disk
# that is nearly full), and a transaction or session that the server ended by a timeout.
TRANSIENT_SQLSTATES = {"25006", "25P03", "25P04"}

# The disk of the media files is full. A full disk of the database has codes of its own, below.
DISK_FULL_ERRNOS = {errno.ENOSPC, errno.EDQUOT}


def is_outage(error: BaseException | None) -> bool:
    return (
        isinstance(error, DATABASE_FAULTS)
        or (isinstance(error, InternalError) and sqlstate(error) in TRANSIENT_SQLSTATES)
        or _is_disk_full(error)
    )


# The database can still read: its disk is full, or it is a standby.
READ_ONLY_CODES = {"53100", "25006", "SQLITE_FULL", "SQLITE_READONLY"}


def is_read_only_failure(error: BaseException) -> bool:
    return database_error_code(error) in READ_ONLY_CODES


def user_message(error: BaseException) -> str:
    if _is_disk_full(error):
        return _("The clinic cannot save this at the moment, because a disk is full.")
    return _("The clinic's database does not answer at the moment. Please try again later.")


def root_outage(error: BaseException | None) -> BaseException | None:
    """Return the outage in the context of `error`, or None.

    Django reports a browser session that could not be saved as a deleted one.
    """
    while error and not is_outage(error):
        error = error.__context__
    return error


def log(error: BaseException) -> None:
    """Log the error's code; its message may quote a row."""
    if _is_disk_full(error):
        logger.error("The disk is full: %s", errno.errorcode[error.errno or 0])
        return
    logger.error(
        "The database did not answer: %s %s", type(error).__name__, database_error_code(error)
    )


def database_error_code(error: BaseException) -> str:
    """Return PostgreSQL's SQLSTATE or SQLite's error name, or an empty text."""
    return sqlstate(error) or getattr(error.__cause__, "sqlite_errorname", None) or ""


def _is_disk_full(error: BaseException | None) -> TypeGuard[OSError]:
    return isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS
