"""Two transactions, one behind the other: what the second makes of what the first has just done.

No collision is hoped for. The first holds its locks until the second is seen to wait for them, or
has come through.
"""

import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from django.core.exceptions import ValidationError
from django.db import Error, connection, transaction

PATIENCE = 30  # seconds until somebody who neither waits nor ends is a mistake
WAITING_FOR_ME = """
    SELECT count(*) FROM pg_locks
    WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""

on_row_locks = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has no row locks: its transaction is the lock"
)


def second_in_line(first, second, while_it_waits=None, *, gives_up=False):
    """(whether `second` waited until `first` was committed, what it then came to).

    It comes to "done", to the code or the sentence of its refusal, or to the name of the database's
    error. `while_it_waits` is called by the first, before the commit; who `gives_up` ends before.
    """
    with ThreadPoolExecutor(1) as other:
        with transaction.atomic():
            first()
            asked = other.submit(_come_to, second)
            waited = _waits(asked)
            if while_it_waits:
                while_it_waits()
            if gives_up:
                wait([asked], PATIENCE)
        return waited, asked.result(PATIENCE)


def _waits(asked):
    """Whether it waits for this connection; False once it has come through."""
    give_up = time.monotonic() + PATIENCE
    while not asked.done():
        with connection.cursor() as cursor:
            cursor.execute(WAITING_FOR_ME)
            if cursor.fetchone() != (0,):
                return True
        assert time.monotonic() < give_up, "It neither waits nor ends."
        time.sleep(0.005)
    return False


def _come_to(work):
    try:
        work()
    except ValidationError as refusal:
        [error] = [one for errors in refusal.error_dict.values() for one in errors]
        return error.code or error.messages[0]
    except Error as error:
        return type(error).__name__
    else:
        return "done"
    finally:
        connection.close()
