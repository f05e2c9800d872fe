"""One transaction for one piece of work, and a second try where the database gave up the first."""

from functools import wraps

from django.db import OperationalError, connection, transaction

# PostgreSQL's words for a transaction it ended for the sake of another, which has gone on: a
# serialization failure, a deadlock. SQLite, where writers stand in line, knows neither.
GIVEN_UP = frozenset({"40001", "40P01"})


def atomic(work):
    """`work` as one transaction, done again once if the database gave it up.

    Nothing of the first try is left, so the second is the same work over. It reads anew whatever it
    decides by, for the world has gone on meanwhile. Within a transaction of somebody else it is a
    part of that one, which is then done again as a whole.
    """

    @wraps(work)
    def once(*args, **kwargs):
        with transaction.atomic():
            return work(*args, **kwargs)

    @wraps(work)
    def at_most_twice(*args, **kwargs):
        is_a_part = connection.in_atomic_block
        try:
            return once(*args, **kwargs)
        except OperationalError as error:
            if is_a_part or sqlstate(error) not in GIVEN_UP:
                raise
        return once(*args, **kwargs)

    return at_most_twice


def sqlstate(error):
    """PostgreSQL's code for what went wrong; None where there is none."""
    return getattr(error.__cause__, "pgcode", None)
