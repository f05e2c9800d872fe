"""What is nobody's mistake and passes: a database that fails, a disk without room."""

import errno
import logging

from django.db import InterfaceError, InternalError, OperationalError

from config.db.transactions import sqlstate

logger = logging.getLogger(__name__)  # one of ours, whose words the log keeps

# The database is gone, too slow, or gave up on a lock, a deadlock or a serialization; the same
# request may well succeed later.
DATABASE_FAULTS = (OperationalError, InterfaceError)

# What the driver files under errors of its own: a server that only reads just now (a standby, a
# disk nearly full), a transaction or a session that it has ended for its age.
TRANSIENT_SQLSTATES = {"25006", "25P03", "25P04"}

DISK_FULL_ERRNOS = {
    errno.ENOSPC,
    errno.EDQUOT,
}  # where files are kept; a database has its own words for it


def is_outage(error):
    return (
        isinstance(error, DATABASE_FAULTS)
        or (isinstance(error, InternalError) and sqlstate(error) in TRANSIENT_SQLSTATES)
        or _is_disk_full(error)
    )


# A database that still reads: its words for a full disk, and for being a standby.
READ_ONLY_CODES = {"53100", "25006", "SQLITE_FULL", "SQLITE_READONLY"}


def is_read_only_failure(error):
    return database_error_code(error) in READ_ONLY_CODES


def user_message(error):
    if _is_disk_full(error):
        return "The clinic has no room to keep this just now."
    return "The clinic's database does not answer just now."


def root_outage(error):
    """The outage an error arose from: a session not saved is "deleted" to Django."""
    while error and not is_outage(error):
        error = error.__context__
    return error


def log(error):
    """The engine's own word for it, never its sentence, which may quote a row."""
    if _is_disk_full(error):
        logger.error("No room to write a file: %s", errno.errorcode[error.errno])
        return
    logger.error(
        "The database did not answer: %s %s", type(error).__name__, database_error_code(error)
    )


def database_error_code(error):
    """PostgreSQL's code for what went wrong, or SQLite's; empty where neither says."""
    return sqlstate(error) or getattr(error.__cause__, "sqlite_errorname", "")


def _is_disk_full(error):
    return isinstance(error, OSError) and error.errno in DISK_FULL_ERRNOS
