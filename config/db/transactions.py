"""One transaction for one piece of work, and a second try where the database gave up the first."""

from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps

from django.db import OperationalError, connection, transaction

# PostgreSQL's words for a transaction it ended for the sake of another, which has gone on: a
# serialization failure, a deadlock. SQLite, where writers stand in line, knows neither.
RETRYABLE_SQLSTATES = frozenset({"40001", "40P01"})

# (act, note) pairs that wait for the end of the work under way; None where there is none.
_pending = ContextVar("waiting", default=None)


def atomic_with_retry(work):
    """`work` as one transaction, done again once if the database gave it up.

    Nothing of the first try is left, so the second is the same work over. It reads anew whatever it
    decides by, for the world has gone on meanwhile. Within a transaction of somebody else it is a
    part of that one, which is then done again as a whole.
    """

    @wraps(work)
    def once(*args, **kwargs):
        with transaction.atomic(), _before_commit_scope():
            return work(*args, **kwargs)

    @wraps(work)
    def at_most_twice(*args, **kwargs):
        is_a_part = connection.in_atomic_block
        try:
            return once(*args, **kwargs)
        except OperationalError as error:
            if is_a_part or sqlstate(error) not in RETRYABLE_SQLSTATES:
                raise
        return once(*args, **kwargs)

    return at_most_twice


def repeatable_read(work):
    """`work` as a transaction whose every statement sees the same moment; never a part of another.

    On SQLite, nobody writes meanwhile.
    """

    @wraps(work)
    def seen(*args, **kwargs):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        return work(*args, **kwargs)

    return atomic_with_retry(seen)


def before_commit(act, note):
    """Call `act` with a list of all its notes, last of all in the transaction of the work.

    A part that fails takes its notes with it. Where no work is under way, `act` is called now.
    """
    waiting = _pending.get()
    if waiting is None:
        act([note])
    else:
        waiting.append((act, note))


@contextmanager
def _before_commit_scope():
    """Of a part that succeeds, the whole inherits what waits; the whole does it."""
    of_the_whole, mine = _pending.get(), []
    token = _pending.set(mine)
    try:
        yield
        if of_the_whole is not None:
            of_the_whole.extend(mine)
    finally:
        _pending.reset(token)
    if of_the_whole is None:
        for act in dict.fromkeys(act for act, _ in mine):
            act([note for other, note in mine if other == act])


def sqlstate(error):
    """PostgreSQL's code for what went wrong; None where there is none."""
    return getattr(error.__cause__, "pgcode", None)
