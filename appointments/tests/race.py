"""Many callers at the same moment: threads on PostgreSQL, processes on a file of SQLite's.

A process starts here, so that Django is set up, with that file, before anything of ours is loaded.
"""

import os
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from threading import Barrier

import django
from django.core.management import call_command

CALLERS = 8
PATIENCE = 60  # seconds after which one who waits for the others gives up

_here = {}  # of this process: the `gate` where it waits for the others


class Threads:
    """Callers on the database of the test itself."""

    def at_the_desk(self, work, *given):
        return work(*given)

    def all_at_once(self, work, calls):
        gate = Barrier(len(calls))

        def wait_and_work(call):
            gate.wait(PATIENCE)
            return work(call)

        with ThreadPoolExecutor(len(calls)) as callers:
            return list(callers.map(wait_and_work, calls))


class Processes:
    """Callers on a database of their own, which the `desk`, a process too, prepares."""

    def __init__(self, file):
        context = get_context("spawn")
        gate = context.Barrier(CALLERS)
        self.desk, self.callers = (
            ProcessPoolExecutor(
                people,
                mp_context=context,
                initializer=_wake,
                initargs=(f"sqlite:///{file}", gate),
            )
            for people in (1, CALLERS)
        )
        self.at_the_desk(call_command, "migrate", "--verbosity=0")

    def at_the_desk(self, work, *given):
        return self.desk.submit(work, *given).result()

    def all_at_once(self, work, calls):
        bystanders = [None] * (CALLERS - len(calls))  # the gate opens for eight
        asked = [self.callers.submit(_wait_and_work, work, call) for call in [*calls, *bystanders]]
        return [one.result() for one in asked][: len(calls)]

    def close(self):
        self.callers.shutdown()
        self.desk.shutdown()


def _wake(url, gate):
    os.environ["DATABASE_URL"] = url
    _here["gate"] = gate
    django.setup()


def _wait_and_work(work, call):
    _here["gate"].wait(PATIENCE)
    return work(call) if call else None
