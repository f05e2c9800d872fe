"""Transactions with one retry, and callbacks that run just before the commit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import OperationalError, connection, transaction

P = ParamSpec("P")
R = TypeVar("R")

# PostgreSQL ended the transaction in favour of another one: a serialization failure or a deadlock.
# SQLite has neither, because it runs one writing transaction at a time.
RETRYABLE_SQLSTATES = frozenset({"40001", "40P01"})

# The (callback, item) pairs of the current transaction; None outside `atomic_with_retry`.
_pending: ContextVar[list[tuple[Callable, object]] | None] = ContextVar("pending", default=None)


def atomic_with_retry(work: Callable[P, R]) -> Callable[P, R]:
    """Decorate `work` to run in a transaction, and once more if the database ended the first.

    The first attempt is rolled back completely. The second one must read all data again, because
    other transactions have been committed since. Within an outer transaction there is no retry: the
    outermost decorated function repeats the whole.
    """

    @wraps(work)
    def once(*args: P.args, **kwargs: P.kwargs) -> R:
        with transaction.atomic(), _before_commit_scope():
            return work(*args, **kwargs)

    @wraps(work)
    def at_most_twice(*args: P.args, **kwargs: P.kwargs) -> R:
        is_nested = connection.in_atomic_block
        try:
            return once(*args, **kwargs)
        except OperationalError as error:
            if is_nested or sqlstate(error) not in RETRYABLE_SQLSTATES:
                raise
        return once(*args, **kwargs)

    return at_most_twice


def repeatable_read(work: Callable[P, R]) -> Callable[P, R]:
    """Decorate `work` to read one snapshot in all its statements; it must be the outermost one.

    On SQLite the transaction blocks all writers instead.
    """

    @wraps(work)
    def in_snapshot(*args: P.args, **kwargs: P.kwargs) -> R:
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return work(*args, **kwargs)

    return atomic_with_retry(in_snapshot)


def before_commit(callback: Callable[[list], None], item: object) -> None:
    """Call `callback` with the list of all its items at the end of the current transaction.

    The items of a nested transaction that fails are dropped. Outside `atomic_with_retry`, the call
    is made immediately.
    """
    pending = _pending.get()
    if pending is None:
        callback([item])
    else:
        pending.append((callback, item))


@contextmanager
def _before_commit_scope() -> Iterator[None]:
    """Collect the items of a transaction. The outermost transaction makes the calls."""
    outer = _pending.get()
    own: list[tuple[Callable, object]] = []
    token = _pending.set(own)
    try:
        yield
        if outer is not None:
            outer.extend(own)
    finally:
        _pending.reset(token)
    if outer is None:
        for callback in dict.fromkeys(callback for callback, _ in own):
            callback([item for other, item in own if other == callback])


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's SQLSTATE of the error, or None."""
    return getattr(error.__cause__, "pgcode", None)
