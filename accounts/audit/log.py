"""Writes the audit log: one event for each request, or for each transaction without a request.

Services report their changes, which are written at the end of their transaction. Viewsets and the
admin report what they have shown or refused, which is written after the response is complete
(accounts.audit.middleware). Events contain ids and names of fields, never values of records.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.db.models import Model
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts.audit import read_log
from accounts.auth.tokens import read_session_id
from accounts.models import Action, AuditEvent, Outcome, User
from config.context import client_ip, current_request_id
from config.db.transactions import before_commit

DENIED_LIMIT = 60  # seconds in which equal refusals of one caller are one event
ID = re.compile(r"[0-9]{1,40}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_current: ContextVar["RequestAudit | None"] = ContextVar("request_audit", default=None)


class AuditEntry(NamedTuple):
    """An action on `records` (model instances), with the changed fields and the user `by`."""

    event: str
    action: Action
    records: tuple[Any, ...] = ()
    changed: tuple[str, ...] = ()
    by: User | None = None
    outcome: Outcome = Outcome.SUCCESS


class RecordReference(NamedTuple):
    """Names a record without an instance: one that was read as a row, or one that was tried."""

    reference: str  # as "appointment/7"
    subject_id: int | None = None


def record_change(
    event: str,
    *records: Model,
    by: User | None = None,
    fields: Iterable[str] = (),
    action: Action = Action.UPDATE,
) -> None:
    """Record a change. A service calls this in its transaction, after its work.

    If a transaction records several changes, the last one names the event. `by` defaults to the
    caller of the request.
    """
    before_commit(_write, AuditEntry(event, action, records, tuple(fields), by))


def record_create(event: str, *records: Model, by: User | None = None) -> None:
    record_change(event, *records, by=by, action=Action.CREATE)


def record_read(event: str, records: Iterable[Model | RecordReference]) -> None:
    """Record that the response contains these records; there may be none."""
    _add_entry(AuditEntry(event, Action.READ, tuple(records)))


def record_denied(event: str, records: Iterable[Model | RecordReference] = ()) -> None:
    """Record that the request was refused, with the records that it tried to reach."""
    _add_entry(AuditEntry(event, Action.EXECUTE, tuple(records), outcome=Outcome.REFUSED))


def record_conflict(event: str, records: Iterable[Model | RecordReference]) -> None:
    """Record that the request was refused for a reason that tells of these records.

    The patients among them find the event in their access log, because their data was shown.
    """
    _add_entry(AuditEntry(event, Action.READ, tuple(records), outcome=Outcome.REFUSED))


def reference_to(name: str, pk: object) -> list[RecordReference]:
    """Return a list with the reference to a record that was tried, such as "appointment/7".

    The list is empty if `pk` is not an id or written as one: a number or UUID.
    """
    return [RecordReference(f"{name}/{pk}")] if ID.fullmatch(str(pk)) else []


class RequestAudit:
    """The audit entries of one request."""

    def __init__(self, request: HttpRequest) -> None:
        self.request = request
        self.has_changed = False
        self.entry: AuditEntry | None = None

    def end(self) -> None:
        """Write the read or refusal.

        A request that has written a change is not also a read. A refusal that names records is
        written beside the change of others, as when an action is refused for some rows of a list.
        """
        if self.entry is None:
            return
        if self.entry.outcome == Outcome.SUCCESS:
            is_written = not self.has_changed and settings.AUDIT_READS != "off"
        else:
            is_new = self.entry.records or not self.has_changed
            is_written = is_new and cache.add(self._cache_key(self.entry), 1, DENIED_LIMIT)
        if is_written:
            read_log.write(_event([self.entry]))

    def _cache_key(self, entry: AuditEntry) -> str:
        """Return the key of equal refusals. Those of a stranger are equal whatever they tried."""
        caller = _caller(self.request)
        caller_id = caller.pk if caller else client_ip(self.request)
        records = sorted(map(_reference, entry.records)) if caller else []
        text = json.dumps([entry.event, caller_id, records])
        return f"refusal:{salted_hmac('accounts.audit', text, algorithm='sha256').hexdigest()}"


@contextmanager
def audit_request(request: HttpRequest) -> Iterator[RequestAudit]:
    """Collect the entries of the block for this request; yields its RequestAudit."""
    request_audit = RequestAudit(request)
    token = _current.set(request_audit)
    try:
        yield request_audit
    finally:
        _current.reset(token)


def _add_entry(entry: AuditEntry) -> None:
    if request_audit := _current.get():
        request_audit.entry = entry


def _write(entries: list[AuditEntry]) -> None:
    _event(entries).save(force_insert=True)
    if request_audit := _current.get():
        request_audit.has_changed = True


def _event(entries: list[AuditEntry]) -> AuditEvent:
    """Combine entries to one event; the last one determines its name, action and outcome."""
    last, records = entries[-1], [record for entry in entries for record in entry.records]
    request_audit = _current.get()
    request = request_audit and request_audit.request
    caller = last.by or (request and _caller(request))
    token = getattr(request, "auth", None)
    return AuditEvent(
        actor=caller.pk if caller else None,
        role=caller.role if caller else "",
        session=str(read_session_id(token) or "") if hasattr(token, "get") else "",
        action=last.action,
        event=last.event,
        records=list(dict.fromkeys(map(_reference, records))),
        patients=sorted({one.subject_id for one in records if _is_about_a_patient(one)}),
        changed=sorted({field for entry in entries for field in entry.changed}),
        outcome=last.outcome,
        request_id=current_request_id() if request else "",
        address=(client_ip(request) or "") if request else "",
    )


def _caller(request: HttpRequest) -> User | None:
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def _reference(record: Any) -> str:
    """Return a reference such as "appointment/7"; a user is named by the user type."""
    if hasattr(record, "reference"):
        return record.reference
    return f"{getattr(record, 'user_type', None) or record._meta.model_name}/{record.pk}"


def _is_about_a_patient(record: object) -> bool:
    return getattr(record, "subject_id", None) is not None
