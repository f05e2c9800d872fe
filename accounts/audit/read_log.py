"""Writes read events cheaply, without delaying the response.

PostgreSQL commits them without waiting for the disk: a power failure may lose the reads of the last
moment, but no change. SQLite has one writer at a time, so that events are buffered and written
together.
"""

import atexit
import json
import logging
from collections.abc import Callable
from threading import Lock, Timer
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.forms import model_to_dict

from accounts.models import AuditEvent
from config.db.outages import is_read_only_failure

BUFFER_SIZE = 100  # events
MAX_DELAY = 1.0  # seconds

logger = logging.getLogger(__name__)

_lock = Lock()
_buffer: list[AuditEvent] = []


def write(event: AuditEvent) -> None:
    """Write the event, or buffer it (AUDIT_READS).

    If the database can only read, the event is logged; with AUDIT_READS_REQUIRED the error is
    raised. Other database errors are always raised.
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


def flush() -> None:
    """Write the buffered events."""
    with _lock:
        events = _buffer[:]
        _buffer.clear()
    if not events:
        return
    try:
        AuditEvent.objects.bulk_create(events)
    except Error:
        _log_unwritten(events)


def _add(event: AuditEvent) -> None:
    with _lock:
        _buffer.append(event)
        count = len(_buffer)
    if count >= BUFFER_SIZE:
        flush()
    elif count == 1:
        timer = Timer(MAX_DELAY, _flush_and_close)
        timer.daemon = True
        timer.start()


def _flush_and_close() -> None:
    """Flush in the timer's thread, and close its connection."""
    flush()
    connection.close()


def _without_synchronous_commit(
    execute: Callable, sql: str, params: Any, many: bool, context: dict[str, Any]
) -> Any:
    db = context["connection"]
    if db.vendor == "postgresql" and not db.in_atomic_block:
        sql = f"SET LOCAL synchronous_commit = off; {sql}"
    return execute(sql, params, many, context)


def _log_unwritten(events: list[AuditEvent]) -> None:
    for event in events:
        logger.error("An audit event could not be written: %s", json.dumps(_as_dict(event)))


def _as_dict(event: AuditEvent) -> dict[str, Any]:
    return model_to_dict(event) | {"at": event.at.isoformat()}


atexit.register(flush)
