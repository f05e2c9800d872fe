"""Runs requests concurrently: in threads on PostgreSQL, in processes on a SQLite file.

Spawned processes import this module first, so it sets up Django (with that file) in an
initializer, before the work and its modules are unpickled.
"""

import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from threading import Barrier

import django
from django.core.management import call_command

PROCESS_COUNT = 8
BARRIER_TIMEOUT = 60  # seconds

_process = {}  # holds the barrier of this worker process


class Threads:
    """Runs work on the test's own database."""

    def run(self, work, *args):
        return work(*args)

    def run_concurrently(self, work, calls):
        barrier = Barrier(len(calls))

        def wait_and_work(call):
            barrier.wait(BARRIER_TIMEOUT)
            return work(call)

        with ThreadPoolExecutor(len(calls)) as pool:
            return list(pool.map(wait_and_work, calls))


class Processes:
    """Runs work on a separate SQLite file; one more process sets up and inspects the data."""

    def __init__(self, file):
        context = get_context("spawn")
        barrier = context.Barrier(PROCESS_COUNT)
        self.single, self.pool = (
            ProcessPoolExecutor(
                count,
                mp_context=context,
                initializer=_set_up,
                initargs=(f"sqlite:///{file}", barrier),
            )
            for count in (1, PROCESS_COUNT)
        )
        self.run(call_command, "migrate", "--verbosity=0")

    def run(self, work, *args):
        return self.single.submit(work, *args).result()

    def run_concurrently(self, work, calls):
        # The barrier expects PROCESS_COUNT callers, so the remaining ones get no work.
        padded = [*calls, *[None] * (PROCESS_COUNT - len(calls))]
        futures = [self.pool.submit(_wait_and_work, work, call) for call in padded]
        return [future.result() for future in futures][: len(calls)]

    def close(self):
        self.pool.shutdown()
        self.single.shutdown()


def _set_up(url, barrier):
    os.environ["DATABASE_URL"] = url
    _process["barrier"] = barrier
    django.setup()


def _wait_and_work(work, call):
    _process["barrier"].wait(BARRIER_TIMEOUT)
    return work(call) if call else None
