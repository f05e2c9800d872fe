"""Counts failed sign-ins in the database, and locks accounts and addresses.

An attempt is counted by one atomic statement before the password is checked. However many attempts
are concurrent, no more passwords are checked than the limits allow. During a lockout a correct
password is refused like a wrong one. A correct password takes back the count of its own attempt.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from math import ceil
from typing import Any, NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import F, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from accounts.audit import log as audit
from accounts.models import Action, LoginCounter, User
from config.context import client_ip, client_network
from config.db.transactions import atomic_with_retry

# With `renewed`, each attempt restarts the time, so that no period of LOCKOUT_MINUTES has more
# attempts than the limit. Many users share an address; its time starts at the first failure.
COUNT = """
    INSERT INTO accounts_logincounter AS kept (key, user_id, address, failures, expires_at)
    VALUES (%(key)s, %(user)s, %(address)s, 1, %(end)s)
    ON CONFLICT (key) DO UPDATE SET
        failures = CASE WHEN kept.expires_at <= %(now)s THEN 1 ELSE kept.failures + 1 END,
        expires_at = CASE
            WHEN %(renewed)s OR kept.expires_at <= %(now)s OR kept.failures + 1 >= %(limit)s
            THEN excluded.expires_at ELSE kept.expires_at END
    WHERE kept.expires_at <= %(now)s OR kept.failures < %(limit)s
"""


class LoginAttempt(NamedTuple):
    """An attempt to sign in: the name, the id of its user (None if unknown) and the client's IP."""

    name: str
    user_id: int | None
    address: str | None

    def consume(self) -> None:
        """Count the attempt; raises `throttled` if the account or the address is locked.

        Refused attempts are not counted: attempts at a locked account do not lock the address, and
        attempts from a locked address do not lock the account. Do not call this in a transaction,
        because a rollback would undo the count.
        """
        if self.address:
            _refuse_locked(self._address_key, settings.LOCKOUT_FAILURES_PER_ADDRESS)
        _count(self._account_key, settings.LOCKOUT_FAILURES, renewed=True, user=self.user_id)
        if self.address:
            try:
                _count(
                    self._address_key,
                    settings.LOCKOUT_FAILURES_PER_ADDRESS,
                    renewed=False,
                    address=client_network(self.address),
                )
            except ValidationError:
                _decrement(self._account_key)
                raise

    def succeeded(self) -> None:
        """Delete the account's count, and take the attempt back for the address."""
        LoginCounter.objects.filter(key=self._account_key).delete()
        _decrement(self._address_key)

    def refund(self) -> None:
        """Take the attempt back: the password was correct, or another check failed."""
        _decrement(self._account_key, self._address_key)

    @property
    def _account_key(self) -> str:
        return _key("user", self.user_id) if self.user_id else _key("name", self.name)

    @property
    def _address_key(self) -> str:
        return _key("address", client_network(self.address)) if self.address else ""


def attempt_for(name: str, address: str | None) -> LoginAttempt:
    """Return the attempt at the account with the username or e-mail address `name`."""
    try:
        user_id = User.objects.get_by_natural_key(name).pk
    except User.DoesNotExist:
        user_id = None
    return LoginAttempt(name.lower(), user_id, address)


def counting_password_attempt(request: Any, field: str) -> AbstractContextManager[None]:
    """Return a context manager that counts an attempt if the body contains the password `field`."""
    if field not in request.data:
        return nullcontext()
    caller = request.user
    return counting(LoginAttempt(caller.username, caller.pk, client_ip(request)), wrong=field)


@contextmanager
def counting(attempt: LoginAttempt, *, wrong: str) -> Iterator[None]:
    """Count the attempt if the block raises a ValidationError for the field `wrong`.

    Success does not delete the account's count, because the block may not check the password.
    """
    attempt.consume()
    try:
        yield
    except ValidationError as error:
        if wrong not in getattr(error, "error_dict", {}):
            attempt.refund()
        raise
    attempt.refund()


def is_locked(counter: LoginCounter) -> bool:
    """Return whether the counter locks its account or address now."""
    limit = settings.LOCKOUT_FAILURES_PER_ADDRESS if counter.address else settings.LOCKOUT_FAILURES
    return 0 < limit <= counter.failures and counter.expires_at > timezone.now()


@atomic_with_retry
def unlock(counters: QuerySet[LoginCounter]) -> int:
    """Delete the counters; return their number."""
    users = [counter.user for counter in counters.select_related("user") if counter.user]
    audit.record_change("lockout.lift", *users, action=Action.DELETE)
    return counters.delete()[0]


def prune() -> int:
    """Delete expired counters; return their number."""
    return LoginCounter.objects.filter(expires_at__lte=timezone.now()).delete()[0]


def _refuse_locked(key: str, limit: int) -> None:
    now = timezone.now()
    locked = LoginCounter.objects.filter(key=key, failures__gte=limit, expires_at__gt=now)
    if limit and (end := locked.values_list("expires_at", flat=True).first()):
        raise _throttled(end - now)


def _count(
    key: str, limit: int, *, renewed: bool, user: int | None = None, address: str | None = None
) -> None:
    if not limit:
        return
    now, duration = timezone.now(), timedelta(minutes=settings.LOCKOUT_MINUTES)
    expires_at = LoginCounter._meta.get_field("expires_at")
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT,
            {
                "key": key,
                "user": user,
                "address": address,
                "now": expires_at.get_db_prep_value(now, connection),
                "end": expires_at.get_db_prep_value(now + duration, connection),
                "limit": limit,
                "renewed": renewed,
            },
        )
        if cursor.rowcount == 1:
            return
    _refuse_locked(key, limit)
    raise _throttled(timedelta())  # a concurrent success has just ended the lockout


def _throttled(wait: timedelta) -> ValidationError:
    seconds = max(ceil(wait.total_seconds()), 1)
    sentence = _("Too many failed sign-ins. Please try again later.")
    return ValidationError(sentence, code="throttled", params={"wait": seconds})


def _decrement(*keys: str) -> None:
    counters = LoginCounter.objects.filter(key__in=keys, failures__gt=0)
    counters.update(failures=F("failures") - 1)


def _key(kind: str, subject: object) -> str:
    """Return an HMAC, because users sometimes enter their password as the name."""
    return salted_hmac("accounts.lockout", f"{kind}:{subject}", algorithm="sha256").hexdigest()
