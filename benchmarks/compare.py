"""Compares the product's speed with the floor, FastAPI and a typical Django project.

    python -m benchmarks.compare --scale 1 --results benchmarks/RESULTS.md
    python -m benchmarks.compare --scale 0.05 --check

Each variant has one worker on one core. The clients and a separate PostgreSQL server, which needs
root, share the other core. The variants take turns in each round; figures are medians over the
rounds. Before the first round product, floor and FastAPI must give the same JSON and write the same
rows; `--check` ends there. The packages are in benchmarks/requirements.txt.
"""

import argparse
import os
from collections import defaultdict
from contextlib import ExitStack
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from benchmarks.calls import Calls
from benchmarks.dataset import fill
from benchmarks.results import circumstances, write
from benchmarks.sameness import ask, check
from benchmarks.stopwatch import THREADS, Backends, Cost, cost, served, take_first_core
from verification.cluster import own_cluster
from verification.server import PORT, configure

BOOKINGS_A_SECOND = 1000  # more than each variant books; their slots are opened beforehand

# {variant: (server, settings)}. The last one audits reads.
VARIANTS = {
    "floor": ("floor", {}),
    "fastapi": ("fastapi", {}),
    "fastapi core": ("fastapi core", {}),
    "naive": ("naive", {}),
    "product": ("product", {"AUDIT_READS": "off"}),
    "product, reads audited": ("product", {"AUDIT_READS": "sync"}),
}
CALLS = ["list", "list by cursor", "detail", "slots", "book", "book with a key", "profile"]
AUDITED = ["list", "detail", "profile"]  # records of patients; free slots are not audited
BY_CORE = ["list", "detail"]
WITH_CURSOR = ["floor"]  # and the product, if it answers
WITH_KEY = ["floor", "product"]  # variants that store an Idempotency-Key

# The goals. OVER_FLOOR and OVER_FASTAPI: highest ratio of the product's CPU to theirs.
# TIME_OVER_FLOOR: highest ratio of the time of a call to the floor's. OVER_NAIVE: lowest ratio of
# the typical project's CPU to the product's, and of the product's requests/s to the typical one's.
OVER_FLOOR = {"list": 4.5, "list by cursor": 3.5, "slots": 6, "book": 5.5, "profile": 6.3}
TIME_OVER_FLOOR = {"book with a key": 3}
OVER_FASTAPI = {"list": 1, "detail": 1.1}
OVER_NAIVE = {"list": 10, "slots": 4}

COLUMNS = """\
`floor/s ÷ this` is the floor's requests/s divided by the variant's. `÷ naive/s` is the variant's
requests/s divided by the typical project's. PostgreSQL's CPU is that of its backends alone."""


def measure(servers, backends, calls, asked):
    """Returns {(call, variant): Cost}, medians over the rounds."""
    reads = calls.reads()
    bookings = {"book": calls.bookings(), "book with a key": calls.bookings(with_keys=True)}
    unused = {call: [] for call in bookings}
    who, taken = _who_answers(servers, reads), defaultdict(list)
    for number in range(asked.rounds + 1):  # round 0 warms up
        for call, names in who.items():
            first = number % len(names)
            for variant in names[first:] + names[:first]:
                if call in bookings:
                    enough = int(BOOKINGS_A_SECOND * asked.seconds)
                    unused[call] += islice(bookings[call], max(0, enough - len(unused[call])))
                requests = _used_up(unused[call]) if call in bookings else cycle(reads[call])
                backends.settle()
                figures = cost(servers[variant], backends, requests, asked.seconds)
                if number:
                    taken[call, variant].append(figures)
        backends.settle(vacuum=True)
        print(f"Round {number} of {asked.rounds} is done.", flush=True)
    return {one: Cost(*map(median, zip(*costs, strict=True))) for one, costs in taken.items()}


def _used_up(requests):
    while requests:
        yield requests.pop()


def _who_answers(servers, reads):
    """Returns {call: variants that answer it}."""
    some = {"fastapi core", "product, reads audited"}
    everybody = [name for name in VARIANTS if name not in some]
    who = {name: list(everybody) for name in [*reads, "book"]}
    status, _ = ask(servers["product"], reads["list by cursor"][0])
    who["book with a key"] = WITH_KEY
    who["list by cursor"] = WITH_CURSOR + (["product"] if status == 200 else [])
    for names, variant in ((BY_CORE, "fastapi core"), (AUDITED, "product, reads audited")):
        for name in names:
            who[name].append(variant)
    return who


def table(figures):
    """Returns the table of costs and ratios as Markdown."""
    columns = ["call", "variant", "requests/s", "CPU ms", "PostgreSQL CPU ms", "p50 ms"]
    columns += ["floor/s ÷ this", "CPU ÷ floor's", "÷ naive/s"]
    lines = [columns, ["---"] * len(columns)]
    for (call, variant), one in sorted(figures.items(), key=_place):
        floor, naive = figures[call, "floor"], figures.get((call, "naive"))
        numbers = [f"{one.rate:.0f}", f"{one.cpu:.2f}", f"{one.database:.2f}", f"{one.p50:.1f}"]
        ratios = [f"{floor.rate / one.rate:.2f}", f"{one.cpu / floor.cpu:.2f}"]
        ratios += [f"{one.rate / naive.rate:.1f}" if naive else ""]
        lines.append([call, variant, *numbers, *ratios])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _place(item):
    call, variant = item[0]
    return CALLS.index(call), list(VARIANTS).index(variant)


def goals(figures):
    """Returns the table of goals as Markdown."""
    told = []
    for other, limits in (("floor", OVER_FLOOR), ("fastapi", OVER_FASTAPI)):
        for call, most in limits.items():
            ratio = figures[call, "product"].cpu / figures[call, other].cpu
            told.append((f"CPU of {call} ÷ {other}'s", f"≤ {most:g}", ratio, ratio <= most))
    for call, most in TIME_OVER_FLOOR.items():
        ratio = figures[call, "floor"].rate / figures[call, "product"].rate
        told.append((f"time of {call} ÷ floor's", f"≤ {most:g}", ratio, ratio <= most))
    for call, least in OVER_NAIVE.items():
        product, naive = figures[call, "product"], figures[call, "naive"]
        for what, ratio in (
            (f"CPU of naive's {call} ÷ the product's", naive.cpu / product.cpu),
            (f"requests/s of {call} ÷ naive's", product.rate / naive.rate),
        ):
            told.append((what, f"≥ {least:g}", ratio, ratio >= least))
    lines = ["| goal | must be | is | |", "| --- | --- | --- | --- |"]
    for goal, limit, ratio, is_reached in told:
        lines.append(
            f"| {goal} | {limit} | {ratio:.2f} | {'reached' if is_reached else 'missed'} |"
        )
    return "\n".join(lines)


def notes(figures):
    told = []
    if ("list by cursor", "product") not in figures:
        told.append("The product has no list by cursor; that row shows the floor only.")
    for call in AUDITED:
        off, on = figures[call, "product"], figures[call, "product, reads audited"]
        cpu, database = on.cpu - off.cpu, on.database - off.database
        fewer = 100 * (1 - on.rate / off.rate)
        told.append(
            f"Auditing the read costs a {call} {cpu:.2f} ms CPU and {database:.2f} ms of"
            f" PostgreSQL; {fewer:.0f} % fewer requests/s."
        )
    return "\n".join(f"- {sentence}" for sentence in told)


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--scale", type=float, default=1, help="not below 0.02")
    options.add_argument("--rounds", type=int, default=12)
    options.add_argument("--seconds", type=float, default=2, help="per turn")
    options.add_argument("--check", action="store_true")
    options.add_argument("--results", type=Path, help="a Markdown file to write")
    asked, load = options.parse_args(), os.getloadavg()[0]
    take_first_core()
    with own_cluster() as cluster, ExitStack() as stack:
        cluster.ask("CREATE DATABASE clinic")
        configure(cluster.address("clinic"))
        from django.db import connections

        stack.callback(connections.close_all)
        calls = Calls(fill(asked.scale))
        servers = {
            name: stack.enter_context(served(kind, port=PORT + number, **settings))
            for number, (name, (kind, settings)) in enumerate(VARIANTS.items())
        }
        print(f"{check(servers, calls)} answers are equal.", flush=True)
        if asked.check:
            return
        backends = Backends(cluster)
        stack.callback(backends.close)
        figures = measure(servers, backends, calls, asked)
        [(postgresql,)] = cluster.ask("SHOW server_version")
    told = circumstances(
        f"PostgreSQL {postgresql}; load of the machine at the start {load:.1f}",
        f"scale {asked.scale:g}, {asked.rounds} rounds of {asked.seconds:g} s, {THREADS} clients",
    )
    for paragraph in (table(figures), goals(figures), notes(figures)):
        print(paragraph)
    if asked.results:
        write(asked.results, "Cost", told, table(figures), COLUMNS, goals(figures), notes(figures))


if __name__ == "__main__":
    main()
