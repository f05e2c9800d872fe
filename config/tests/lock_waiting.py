"""Runs one transaction while another holds its locks, and reports what the second one does.

The result does not depend on timing: the first transaction holds its locks until the second waits
for one of them or has finished.
"""

import time
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from django.core.exceptions import ValidationError
from django.db import Error, connection, transaction

TIMEOUT_SECONDS = 30  # a second transaction that neither waits nor ends by then is an error
CONNECTIONS_WAITING_FOR_US = """
    SELECT count(*) FROM pg_locks
    WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""

requires_row_locks = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has no row locks"
)


def run_behind_lock(first, second, while_waiting=None, *, second_times_out=False):
    """Returns whether `second` waited for `first`, and the outcome of `second`.

    The outcome is "done", the code or message of its ValidationError, or the class name of the
    database error. `while_waiting` is called in the first transaction before it commits. With
    `second_times_out`, the first transaction stays open until the second has ended.
    """
    with ThreadPoolExecutor(1) as other:
        with transaction.atomic():
            first()
            future = other.submit(_outcome, second)
            waited = _is_blocked(future)
            if while_waiting:
                while_waiting()
            if second_times_out:
                wait([future], TIMEOUT_SECONDS)
        return waited, future.result(TIMEOUT_SECONDS)


def _is_blocked(future):
    """Returns True once the work waits for this connection, False if it ends before."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not future.done():
        with connection.cursor() as cursor:
            cursor.execute(CONNECTIONS_WAITING_FOR_US)
            if cursor.fetchone() != (0,):
                return True
        assert time.monotonic() < deadline, "The second transaction neither waits nor ends."
        time.sleep(0.005)
    return False


def _outcome(work):
    try:
        work()
    except ValidationError as error:
        [detail] = [one for errors in error.error_dict.values() for one in errors]
        return detail.code or detail.messages[0]
    except Error as error:
        return type(error).__name__
    else:
        return "done"
    finally:
        connection.close()
