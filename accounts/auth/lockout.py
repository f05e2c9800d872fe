"""Guesses at passwords are counted in the database: one count for all doors and all workers.

A guess is counted before the password is looked at, by one statement which gives way to no other
guess. So however many come at once, no more are looked at than the limits say, and a right password
is refused like a wrong one until the time is over. A right one gives its own guess back.
"""

from contextlib import contextmanager, nullcontext
from datetime import timedelta
from math import ceil
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import F
from django.utils import timezone
from django.utils.crypto import salted_hmac

from accounts.audit import log as audit
from accounts.models import Action, LoginCounter, User
from config.context import client_ip, client_network
from config.db.transactions import atomic_with_retry

# `renewed`: each guess starts the time anew, so that no quarter of an hour, wherever it begins, has
# more than the limit. Many sign in from one address, so its time runs on from the first failure.
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
    """Who is being guessed at, a person or a name nobody has, and from where."""

    name: str
    user_id: int | None
    address: str | None

    def consume(self):
        """Take one of the guesses that are left; raises `throttled` where none is.

        What is not looked at is not counted, so whoever knocks at a locked account locks no address
        and whoever knocks from a locked address no account, and a flood of either writes nothing.
        Not within a transaction: what is refused later would take the count back.
        """
        if self.address:
            _refuse_locked(self._of_address, settings.LOCKOUT_FAILURES_PER_ADDRESS)
        _count(self._of_account, settings.LOCKOUT_FAILURES, renewed=True, user=self.user_id)
        if self.address:
            try:
                _count(
                    self._of_address,
                    settings.LOCKOUT_FAILURES_PER_ADDRESS,
                    renewed=False,
                    address=client_network(self.address),
                )
            except ValidationError:
                _decrement(self._of_account)
                raise

    def succeeded(self):
        """The account's failures are forgotten; the address gets back this one guess."""
        LoginCounter.objects.filter(key=self._of_account).delete()
        _decrement(self._of_address)

    def refund(self):
        """The password was right, or not what the request failed for."""
        _decrement(self._of_account, self._of_address)

    @property
    def _of_account(self):
        return _key("user", self.user_id) if self.user_id else _key("name", self.name)

    @property
    def _of_address(self):
        return _key("address", client_network(self.address)) if self.address else ""


def attempt_for(name, address):
    """A guess at the account that `name`, a username or an e-mail address, belongs to."""
    try:
        user_id = User.objects.get_by_natural_key(name).pk
    except User.DoesNotExist:
        user_id = None
    return LoginAttempt(name.lower(), user_id, address)


def counting_password_attempt(request, field):
    """Count what is done within as a guess, where the body's `field` is the caller's password."""
    if field not in request.data:
        return nullcontext()
    caller = request.user
    return counting(LoginAttempt(caller.username, caller.pk, client_ip(request)), wrong=field)


@contextmanager
def counting(attempt, *, wrong):
    """Count what is done within, unless it is refused for anything but the field `wrong`.

    A right password here forgets no failures: a request may carry one that nobody looks at.
    """
    attempt.consume()
    try:
        yield
    except ValidationError as refusal:
        if wrong not in getattr(refusal, "error_dict", {}):
            attempt.refund()
        raise
    attempt.refund()


def is_locked(counter):
    """Whether guesses are refused at present, for the person who looks at the count."""
    limit = settings.LOCKOUT_FAILURES_PER_ADDRESS if counter.address else settings.LOCKOUT_FAILURES
    return 0 < limit <= counter.failures and counter.expires_at > timezone.now()


@atomic_with_retry
def unlock(counters):
    """Forget these counts; how many there were."""
    of_whom = [counter.user for counter in counters.select_related("user") if counter.user]
    audit.record_change("lockout.lift", *of_whom, action=Action.DELETE)
    return counters.delete()[0]


def prune():
    """Delete the counts whose time is over; how many there were."""
    return LoginCounter.objects.filter(expires_at__lte=timezone.now()).delete()[0]


def _refuse_locked(key, limit):
    now = timezone.now()
    locked = LoginCounter.objects.filter(key=key, failures__gte=limit, expires_at__gt=now)
    if limit and (end := locked.values_list("expires_at", flat=True).first()):
        raise _refusal(end - now)


def _count(key, limit, *, renewed, user=None, address=None):
    if not limit:
        return
    now, lasts = timezone.now(), timedelta(minutes=settings.LOCKOUT_MINUTES)
    stored = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.execute(
            COUNT,
            {
                "key": key,
                "user": user,
                "address": address,
                "now": stored(now),
                "end": stored(now + lasts),
                "limit": limit,
                "renewed": renewed,
            },
        )
        if cursor.rowcount == 1:
            return
    _refuse_locked(key, limit)
    raise _refusal(timedelta())  # it was locked, and in between somebody's success has opened it


def _refusal(wait):
    seconds = max(ceil(wait.total_seconds()), 1)
    return ValidationError("Too many failed sign-ins.", code="throttled", params={"wait": seconds})


def _decrement(*keys):
    given = LoginCounter.objects.filter(key__in=keys, failures__gt=0)
    given.update(failures=F("failures") - 1)


def _key(kind, subject):
    """As a digest under our key: what people type for a name is now and then their password."""
    return salted_hmac("accounts.lockout", f"{kind}:{subject}", algorithm="sha256").hexdigest()
