"""Measures the memory and latency of one product worker under a long mixed load.

    python -m benchmarks.soak --scale 0.1 --seconds 60

The script reads the resident memory after 1,000 and 10,000 requests and then applies a load for
`--seconds`. Seven of ten requests read lists, details and profiles; two search slots, one books.
The script exits with 1 if an answer is an error, if the worker grows by more than a tenth between
the two readings or beyond 90 MB, or if the 99th percentile is more than five times the median.
"""

import argparse
import sys
from collections import Counter
from itertools import cycle
from pathlib import Path

from benchmarks.calls import Calls
from benchmarks.dataset import fill
from benchmarks.results import circumstances, write
from benchmarks.stopwatch import drive, served, take_first_core
from verification.server import configure, fresh_database

MIXED = ["list", "slots", "detail", "profile", "book", "list", "slots", "detail", "list", "detail"]
FEW, MANY = 1_000, 10_000
MOST_GROWTH, MOST_MEMORY, MOST_SPREAD = 1.1, 90, 5  # times, MB, times the median


def mixed(calls):
    """Yields requests without end."""
    requests = {name: cycle(them) for name, them in calls.reads().items()}
    requests["book"] = calls.bookings()
    for name in cycle(MIXED):
        yield next(requests[name])


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    options.add_argument("--scale", type=float, default=0.1, help="not below 0.02")
    options.add_argument("--seconds", type=float, default=60)
    options.add_argument("--few", type=int, default=FEW)
    options.add_argument("--many", type=int, default=MANY)
    options.add_argument("--results", type=Path, help="a Markdown file to write")
    asked = options.parse_args()
    take_first_core()
    with fresh_database("postgresql") as database:
        configure(database)
        from django.db import connections

        requests = mixed(Calls(fill(asked.scale)))
        with served("product") as server:
            runs = [drive(server.port, requests, count=asked.few)]
            early = server.resident()
            runs.append(drive(server.port, requests, count=asked.many - asked.few))
            late = server.resident()
            runs.append(drive(server.port, requests, seconds=asked.seconds))
            last = server.resident()
        connections.close_all()
    answers, load = sum((run.statuses for run in runs), Counter()), runs[-1]
    errors = answers.total() - answers[200] - answers[201]
    spread = load.p(99) / load.p(50)
    memory = f"{early:.1f} MB after {asked.few} requests, {late:.1f} after {asked.many}"
    pace = f"p50 {load.p(50):.1f} ms, p99 {load.p(99):.1f} ms, ratio {spread:.1f}"
    told = [
        f"{memory}, {last:.1f} at the end",
        f"{asked.seconds:g} s, {len(load.latencies)} requests, {load.rate:.0f}/s: {pace}",
        f"{errors} errors; answers by status: {dict(answers)}",
    ]
    told = "\n".join(f"- {line}" for line in told)
    print(told)
    if asked.results:
        write(asked.results, "Mixed load", circumstances(f"scale {asked.scale:g}"), told)
    grew = late > MOST_GROWTH * early or last > MOST_MEMORY
    sys.exit(bool(errors) or grew or spread > MOST_SPREAD)


if __name__ == "__main__":
    main()
