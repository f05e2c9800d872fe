"""How an event that changes nothing is kept: at little cost, and without holding up who reads.

PostgreSQL commits it without waiting for the disk: a power cut may take the last moment's reads
with it, never a change. On SQLite, where writing takes its turn with every other writer, a few are
gathered and written together.
"""

import atexit
import json
import logging
from threading import Lock, Timer

from django.conf import settings
from django.db import Error, connection
from django.forms import model_to_dict

from accounts.models import AuditEvent
from config.db.outages import is_read_only_failure

BUFFER_SIZE = 100  # events that wait
MAX_DELAY = 1.0  # seconds

logger = logging.getLogger(__name__)

_waiting, _lock = [], Lock()


def write(event):
    """Write it down now, or soon. Where the database has no room for it, it goes to the log, unless
    reads must be kept; that error, and any other of the database, is raised.
    """
    if settings.AUDIT_READS == "buffered":
        _add(event)
        return
    try:
        with connection.execute_wrapper(_without_synchronous_commit):
            event.save(force_insert=True)
    except Error as error:
        if settings.AUDIT_READS_REQUIRED or not is_read_only_failure(error):
            raise
        _log_unwritten([event])


def flush():
    """Write what waits."""
    with _lock:
        events = _waiting[:]
        _waiting.clear()
    if not events:
        return
    try:
        AuditEvent.objects.bulk_create(events)
    except Error:
        _log_unwritten(events)


def _add(event):
    with _lock:
        _waiting.append(event)
        count = len(_waiting)
    if count >= BUFFER_SIZE:
        flush()
    elif count == 1:
        timer = Timer(MAX_DELAY, _flush_and_close)
        timer.daemon = True
        timer.start()


def _flush_and_close():
    """In the timer's own thread, which has a connection of its own."""
    flush()
    connection.close()


def _without_synchronous_commit(execute, sql, params, many, context):
    db = context["connection"]
    if db.vendor == "postgresql" and not db.in_atomic_block:
        sql = f"SET LOCAL synchronous_commit = off; {sql}"
    return execute(sql, params, many, context)


def _log_unwritten(events):
    for event in events:
        logger.error("An audit event could not be kept: %s", json.dumps(_as_dict(event)))


def _as_dict(event):
    return model_to_dict(event) | {"at": event.at.isoformat()}


atexit.register(flush)
