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
from config.api.refusals import refused
from config.api.transactions import sqlstate

KEPT = timedelta(hours=24)
LONGEST = 255
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
    if not 0 < len(key) <= LONGEST or not key.isprintable():
        raise _refused(f"Send a key of 1 to {LONGEST} printable characters.", "invalid")
    try:
        with transaction.atomic():
            row = IdempotencyKey(user=user, key=key, fingerprint=fingerprint)
            row.save(force_insert=True)
            return row, True
    except IntegrityError:
        row = IdempotencyKey.objects.select_for_update().get(user=user, key=key)
    except OperationalError as error:
        if sqlstate(error) != LOCK_NOT_AVAILABLE:
            raise
        sentence = "The first request with this key is not done yet."
        raise _refused(sentence, "request_in_progress") from error
    if row.created_at < timezone.now() - KEPT:
        row.fingerprint, row.created_at = fingerprint, timezone.now()
        return row, True
    if row.fingerprint != fingerprint:
        raise _refused("This key came with another request.", "idempotency_key_reused")
    return row, False


def keep(row, *, made, status_code):
    """Note what the request made (`made` by the view that answers) and the answer's status code."""
    row.made, row.status_code = made, status_code
    row.save(force_update=True)


def prune():
    """Delete the keys that are no longer kept; how many there were."""
    return IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).delete()[0]


def forget(user):
    """Delete every key a person sent."""
    user.idempotency_keys.all().delete()


def _refused(sentence, code):
    return refused("Idempotency-Key", sentence, code)
