"""Races many clients for one slot, appointment, hour or consultation, over HTTP.

    python -m verification.races
    python -m verification.races --engine sqlite --rounds 50
    python -m verification.races --race booking --rounds 1000 --clients 50

Each race runs in rounds. The script prints the answers. It exits with 1 if a round breaks a promise
of its race, or if the database holds a contradiction afterwards.
"""

import argparse
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from verification.clinic import Clinic, ask, contradictions
from verification.rounds import RACES, counted
from verification.server import configure, fresh_database, gunicorn

BARRIER_TIMEOUT = 60  # seconds


class Start:
    """Sends calls at the same moment, each by a client of its own."""

    def __init__(self, clients):
        self.clients = clients
        self.pool = ThreadPoolExecutor(clients)

    def __call__(self, calls):
        gate = Barrier(len(calls))

        def wait_and_ask(call):
            gate.wait(BARRIER_TIMEOUT)
            return ask(*call)

        return list(self.pool.map(wait_and_ask, calls))


def run(name, clinic, start, rounds):
    """Runs the rounds of one race and prints the result. Returns whether all promises held."""
    answers, broken, spoiled = Counter(), Counter(), 0
    for _ in range(rounds):
        answered, promises = RACES[name](clinic, start)
        answers += counted(answered)
        failures = [promise for promise, kept in promises.items() if not kept]
        broken.update(failures)
        spoiled += bool(failures)
    found = {what: number for what, number in contradictions().items() if number}
    print(f"{name}: {rounds} rounds of {start.clients} clients")
    for (status, code), count in sorted(answers.items(), key=str):
        print(f"  {status} {code or ''}: {count}")
    for promise, count in broken.items():
        print(f"  BROKEN {count} times: {promise}")
    for what, number in found.items():
        print(f"  FOUND {number} {what}")
    print(f"  {rounds - spoiled} rounds as promised, {spoiled} not", flush=True)
    return not spoiled and not found


def main():
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--race", choices=RACES, action="append", help="default: all of them")
    options.add_argument("--engine", choices=["postgresql", "sqlite"], default="postgresql")
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--clients", type=int, default=16)
    asked = options.parse_args()
    with fresh_database(asked.engine) as database:
        configure(database)
        clinic = Clinic(doctors=asked.clients, patients=asked.clients)
        start = Start(asked.clients)
        print(asked.engine)
        with gunicorn():
            kept = [run(name, clinic, start, asked.rounds) for name in asked.race or RACES]
        from django.db import connections

        connections.close_all()
    print(f"{kept.count(True)} races as promised, {kept.count(False)} not")
    sys.exit(not all(kept))


if __name__ == "__main__":
    main()
