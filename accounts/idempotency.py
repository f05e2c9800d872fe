"""Storage of the Idempotency-Key header, so that a repeated request is executed once.

The key is the first row that the transaction of a request inserts. A second request with the same
key waits for the first one; a request that fails stores no key.
"""

import json
from datetime import timedelta

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts.models import MAX_IDEMPOTENCY_KEY_LENGTH, IdempotencyKey
from config.db.transactions import sqlstate
from config.errors import rule_error

RETENTION = timedelta(hours=24)
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's SQLSTATE for lock_timeout


def fingerprint(method, path, body):
    """Return an HMAC of the request; `body` is the parsed body.

    A plain hash would allow guessing a password in the body.
    """
    text = json.dumps([method, path, body], sort_keys=True, default=str)
    return salted_hmac("accounts.idempotency", text, algorithm="sha256").hexdigest()


def claim(*, user, key, fingerprint):
    """Return (row of the key, whether it is new); must run in a transaction.

    Raises a ValidationError for an empty or long key, with the code `idempotency_key_reused` for a
    key of another request, and with `request_in_progress` if the first request is still running.
    """
    if not 0 < len(key) <= MAX_IDEMPOTENCY_KEY_LENGTH or not key.isprintable():
        sentence = _("Send a key of 1 to %(length)d printable characters.")
        raise _key_error(sentence % {"length": MAX_IDEMPOTENCY_KEY_LENGTH}, "invalid")
    try:
        row, is_new = _write_or_lock(user, key, fingerprint)
    except OperationalError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        sentence = _("The first request with this key has not finished yet.")
        raise _key_error(sentence, "request_in_progress") from error
    if is_new:
        return row, True
    if row.created_at < timezone.now() - RETENTION:
        row.fingerprint, row.created_at = fingerprint, timezone.now()
        return row, True
    if row.fingerprint != fingerprint:
        raise _key_error(_("This key was used for another request."), "idempotency_key_reused")
    return row, False


def _write_or_lock(user, key, fingerprint, *, is_last_try=False):
    """Insert the key, or lock its existing row; return (row, whether it was inserted).

    There are two attempts, because the existing row may be pruned before it is locked.
    """
    row = IdempotencyKey(user=user, key=key, fingerprint=fingerprint)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        rows = IdempotencyKey.objects.select_for_update().filter(user=user, key=key)
        if existing := rows.first():
            return existing, False
        if is_last_try:
            raise
    else:
        return row, True
    return _write_or_lock(user, key, fingerprint, is_last_try=True)


def store_result(row, *, made, status_code):
    """Store the ids that the view's `replay_key` returned, and the status of the response."""
    row.made, row.status_code = made, status_code
    row.save(force_update=True)


def prune():
    """Delete keys older than RETENTION; return their number."""
    return IdempotencyKey.objects.filter(created_at__lt=timezone.now() - RETENTION).delete()[0]


def delete_for(user):
    """Delete all keys of a user."""
    user.idempotency_keys.all().delete()


def _key_error(sentence, code):
    return rule_error("Idempotency-Key", sentence, code)
