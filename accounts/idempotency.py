"""A request sent twice is done once: what stands behind the header Idempotency-Key.

The key is written in the transaction of what it guards, before anything else: a second request with
it waits for the first, and what fails leaves no key behind.
"""

import json
from datetime import timedelta

from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.models import IdempotencyKey
from config.db.transactions import sqlstate
from config.errors import rule_error

RETENTION = timedelta(hours=24)
MAX_KEY_LENGTH = 255
LOCK_NOT_AVAILABLE = "55P03"  # PostgreSQL's word for a lock_timeout


def fingerprint(method, path, body):
    """What tells one request from another; `body` as it was parsed.

    Under our key: a body may carry a password, which a plain digest would let be guessed.
    """
    text = json.dumps([method, path, body], sort_keys=True, default=str)
    return salted_hmac("accounts.idempotency", text, algorithm="sha256").hexdigest()


def claim(*, user, key, fingerprint):
    """(the key's row, whether it is new), within the caller's transaction.

    Refusals: bad input for an empty or long key, `idempotency_key_reused` for a key that came with
    another request, `request_in_progress` where the first has not finished.
    """
    if not 0 < len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise _key_error(f"Send a key of 1 to {MAX_KEY_LENGTH} printable characters.", "invalid")
    try:
        row, is_new = _write_or_lock(user, key, fingerprint)
    except OperationalError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        sentence = "The first request with this key is not done yet."
        raise _key_error(sentence, "request_in_progress") from error
    if is_new:
        return row, True
    if row.created_at < timezone.now() - RETENTION:
        row.fingerprint, row.created_at = fingerprint, timezone.now()
        return row, True
    if row.fingerprint != fingerprint:
        raise _key_error("This key came with another request.", "idempotency_key_reused")
    return row, False


def _write_or_lock(user, key, fingerprint, *, is_last_try=False):
    """(the key's row, whether it was written just now); one that was there is locked.

    Tried twice, for the row that is in the way may be pruned before it is locked.
    """
    row = IdempotencyKey(user=user, key=key, fingerprint=fingerprint)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        rows = IdempotencyKey.objects.select_for_update().filter(user=user, key=key)
        if there := rows.first():
            return there, False
        if is_last_try:
            raise
    else:
        return row, True
    return _write_or_lock(user, key, fingerprint, is_last_try=True)


def store_result(row, *, made, status_code):
    """Note what the request made (`made` by the view that answers) and the answer's status code."""
    row.made, row.status_code = made, status_code
    row.save(force_update=True)


def prune():
    """Delete the keys that are no longer kept; how many there were."""
    return IdempotencyKey.objects.filter(created_at__lt=timezone.now() - RETENTION).delete()[0]


def delete_for(user):
    """Delete every key a person sent."""
    user.idempotency_keys.all().delete()


def _key_error(sentence, code):
    return rule_error("Idempotency-Key", sentence, code)
