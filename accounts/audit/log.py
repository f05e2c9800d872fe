"""Who did what to which record: one event for each request, or for a piece of work without one.

Services say what they have changed. It is written last of all in the transaction of the change, or
with it not at all. Doors say what they have shown, or refused; it is written once the answer stands
(accounts.audit.middleware). Ids and names of fields, never a word of a record.
"""

import json
from contextlib import contextmanager
from contextvars import ContextVar
from typing import NamedTuple

from django.conf import settings
from django.core.cache import cache
from django.utils.crypto import salted_hmac

from accounts.audit import read_log
from accounts.auth.tokens import read_session_id
from accounts.models import Action, AuditEvent, Outcome, User
from config.context import client_ip, current_request_id
from config.db.transactions import before_commit

DENIED_LIMIT = 60  # seconds within which the same refusal to the same caller is one event

_current = ContextVar("trail", default=None)


class AuditEntry(NamedTuple):
    """What was done to `records` (rows of models), in whose name, and which fields it changed."""

    event: str
    action: Action
    records: tuple = ()
    changed: tuple = ()
    by: User | None = None
    outcome: Outcome = Outcome.SUCCESS


class RecordReference(NamedTuple):
    """Names a record that was read as a row, without an instance."""

    reference: str  # as "appointment/7"
    subject_id: int


def record_change(event, *records, by=None, fields=(), action=Action.UPDATE):
    """Called by a service in its transaction, after its work: what comes last names the event.

    `by` need not be given where the caller of the request is meant.
    """
    before_commit(_write, AuditEntry(event, action, records, tuple(fields), by))


def record_create(event, *records, by=None):
    record_change(event, *records, by=by, action=Action.CREATE)


def record_read(event, records):
    """Called by a door that answers with these records, none of which need be there."""
    _add_entry(AuditEntry(event, Action.READ, tuple(records)))


def record_denied(event, *records):
    """Called by a door that turns its caller away."""
    _add_entry(AuditEntry(event, Action.EXECUTE, records, outcome=Outcome.REFUSED))


class RequestAudit:
    """What one request is seen to do."""

    def __init__(self, request):
        self.request = request
        self.has_changed = False
        self.note = None

    def end(self):
        """Write down what was shown or refused, unless a change says more of this request."""
        if self.note is None or self.has_changed:
            return
        if self.note.outcome == Outcome.SUCCESS:
            is_kept = settings.AUDIT_READS != "off"
        else:
            is_kept = cache.add(self._refusal(), 1, DENIED_LIMIT)
        if is_kept:
            read_log.write(_event([self.note]))

    def _refusal(self):
        caller = _caller(self.request)
        whose = caller.pk if caller else client_ip(self.request)
        mark = json.dumps([self.note.event, whose])
        return f"refusal:{salted_hmac('accounts.audit', mark, algorithm='sha256').hexdigest()}"


@contextmanager
def audit_request(request):
    """What is said of within is said of this request; gives its trail."""
    trail = RequestAudit(request)
    token = _current.set(trail)
    try:
        yield trail
    finally:
        _current.reset(token)


def _add_entry(note):
    if trail := _current.get():
        trail.note = note


def _write(notes):
    _event(notes).save(force_insert=True)
    if trail := _current.get():
        trail.has_changed = True


def _event(notes):
    """One event of all the notes: the last is the whole, of which the others are parts."""
    whole, records = notes[-1], [record for note in notes for record in note.records]
    trail = _current.get()
    request = trail and trail.request
    caller = whole.by or (request and _caller(request))
    token = getattr(request, "auth", None)
    return AuditEvent(
        actor=caller.pk if caller else None,
        role=caller.role if caller else "",
        session=str(read_session_id(token) or "") if hasattr(token, "get") else "",
        action=whole.action,
        event=whole.event,
        records=list(dict.fromkeys(map(_reference, records))),
        patients=sorted({one.subject_id for one in records if _is_about_a_patient(one)}),
        changed=sorted({field for note in notes for field in note.changed}),
        outcome=whole.outcome,
        request_id=current_request_id() if request else "",
        address=(client_ip(request) or "") if request else "",
    )


def _caller(request):
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def _reference(record):
    """As "appointment/7"; a part below its whole; a person by the role, whatever the model."""
    if hasattr(record, "reference"):
        return record.reference
    return f"{getattr(record, 'user_type', None) or record._meta.model_name}/{record.pk}"


def _is_about_a_patient(record):
    return getattr(record, "subject_id", None) is not None
