"""Counts the instructions that one request costs, with valgrind's callgrind.

    python -m benchmarks.instructions --results benchmarks/RESULTS.md
    python -m benchmarks.instructions --scale 1 --variant product --call list

Counts do not depend on the machine's load and repeat within 2 %. Each variant runs in one process
and one thread, without a web server, over a copy of the same database. FAST_READS is passed on to
the product. PostgreSQL is the server of DATABASE_URL, by default the local one.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle, islice, repeat
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from benchmarks.calls import Calls
from benchmarks.dataset import fill
from benchmarks.in_process import WARM_UP
from benchmarks.results import circumstances, write
from benchmarks.sameness import compare
from verification.server import HOUSE, configure, fresh_database

SHARED = ["list", "detail", "slots", "book", "profile"]
OWN = ["upcoming", "doctors", "patients", "consultations"]  # only the product answers these


class Variant(NamedTuple):
    server: str  # a key of in_process.VARIANTS
    calls: list
    settings: dict


VARIANTS = {
    "floor": Variant("floor", SHARED, {}),
    "fastapi": Variant("fastapi", SHARED, {}),
    "fastapi core": Variant("fastapi core", ["list", "detail"], {}),
    "product": Variant("product", SHARED + OWN, {"AUDIT_READS": "off"}),
    "product, reads audited": Variant("product", SHARED + OWN, {"AUDIT_READS": "sync"}),
}


class Limit(NamedTuple):
    """Highest ratio to another variant, without and with audited reads. None is only reported."""

    call: str
    other: str
    plain: float
    audited: float | None


LIMITS = [
    Limit("list", "fastapi", 0.55, 0.65),
    Limit("detail", "fastapi", 0.75, 0.9),
    Limit("slots", "fastapi", 0.6, 0.6),
    Limit("book", "fastapi", 0.9, 0.9),
    Limit("profile", "fastapi", 0.95, 1.15),
    Limit("list", "fastapi core", 0.8, None),
    Limit("detail", "fastapi core", 0.8, None),
]


# --- Counting ----------------------------------------------------------------------------------


def count(variant, requests, database):
    """Returns {call: instructions of one request} and {call: [status, body]} of one variant."""
    server, names, settings = VARIANTS[variant]
    requests = {name: requests[name] for name in requests if name in names}
    with tempfile.TemporaryDirectory() as folder:
        calls, counters = Path(folder) / "calls.json", Path(folder) / "counters"
        calls.write_text(json.dumps(requests))
        done = subprocess.run(  # noqa: S603
            [
                *("valgrind", "-q", "--tool=callgrind", "--dump-before=getpgid"),
                f"--callgrind-out-file={counters}",
                *(sys.executable, "-m", "benchmarks.in_process", server, str(calls)),
            ],
            cwd=HOUSE,
            env=os.environ | {"DATABASE_URL": database, "PYTHONHASHSEED": "0"} | settings,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{variant} failed.\n{done.stdout}{done.stderr}")
        counted = {
            name: _total(f"{counters}.{2 * number}") / (len(requests[name]) - WARM_UP)
            for number, name in enumerate(requests, 1)
        }
    print(f"{variant} is counted.", flush=True)
    return counted, json.loads(done.stdout.splitlines()[-1])


def _total(file):
    """Instructions since the counters were written before, all threads together."""
    for line in Path(file).read_text().splitlines():
        if line.startswith("totals: "):
            return int(line.removeprefix("totals: "))
    raise SystemExit(f"{file} has no totals.")


def requests_of(calls, chosen, number):
    """Returns {call: requests as text}; the same for each variant."""
    reads = calls.reads() | calls.reads_of_the_product()
    wanted = WARM_UP + number
    made = {name: list(islice(cycle(reads[name]), wanted)) for name in reads}
    made["book"] = list(islice(calls.bookings(batch=wanted), wanted))
    return {name: [one.decode() for one in made[name]] for name in chosen}


@contextmanager
def copied(database, number):
    """Yields the addresses of so many copies of a database nobody is connected to."""
    import psycopg2

    address = urlsplit(database)
    name = address.path.removeprefix("/")
    admin = psycopg2.connect(address._replace(path="/postgres").geturl())
    admin.autocommit = True
    names = [f"{name}_{place}" for place in range(number)]
    with admin.cursor() as cursor:
        try:
            for one in names:
                cursor.execute(f"CREATE DATABASE {one} TEMPLATE {name}")
            yield [address._replace(path=f"/{one}").geturl() for one in names]
        finally:
            for one in names:
                cursor.execute(f"DROP DATABASE IF EXISTS {one} WITH (FORCE)")
            admin.close()


def measure(asked):
    """Returns {variant: {call: instructions}}; SystemExit where two answers differ."""
    with fresh_database("postgresql") as database:
        configure(database)
        from django.db import connections

        calls = Calls(fill(asked.scale))
        requests = requests_of(calls, asked.call, asked.requests)
        connections.close_all()
        with copied(database, len(asked.variant)) as copies, ThreadPoolExecutor(asked.jobs) as pool:
            found = pool.map(count, asked.variant, repeat(requests), copies)
            found = dict(zip(asked.variant, found, strict=True))
    for name in set(asked.call) - {"book"}:
        compare(name, {one: told[name] for one, (_, told) in found.items() if name in told})
    return {variant: counted for variant, (counted, _) in found.items()}


# --- The tables --------------------------------------------------------------------------------


def counts(found):
    """Markdown: thousands of instructions by variant and call."""
    names = [name for name in SHARED + OWN if any(name in each for each in found.values())]
    lines = [["call", *found], ["---"] * (1 + len(found))]
    for name in names:
        numbers = [f"{each[name] / 1000:,.0f}" if name in each else "" for each in found.values()]
        lines.append([name, *numbers])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def goals(found):
    """Markdown: each limit, the ratio, and whether it is reached, for plain and audited reads."""
    lines = [
        "| instructions | limit | product | | limit | reads audited | |",
        "| --- |" + " --- |" * 6,
    ]
    for call, other, plain, audited in LIMITS:
        told = [f"{call} ÷ {other}'s"]
        for variant, limit in (("product", plain), ("product, reads audited", audited)):
            told += _judged(found, call, variant, other, limit)
        lines.append(f"| {' | '.join(told)} |")
    return "\n".join(lines)


def _judged(found, call, variant, other, limit):
    try:
        ratio = found[variant][call] / found[other][call]
    except KeyError:
        return ["", "not counted", ""]
    if limit is None:
        return ["", f"{ratio:.2f}", "reported"]
    return [f"≤ {limit:g}", f"{ratio:.2f}", "reached" if ratio <= limit else "missed"]


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--scale", type=float, default=0.1, help="not below 0.02")
    options.add_argument("--requests", type=int, default=40, help="counted of each call")
    options.add_argument("--variant", action="append", choices=VARIANTS, help="default: all")
    options.add_argument("--call", action="append", choices=SHARED + OWN, help="default: all")
    options.add_argument("--jobs", type=int, default=2, help="variants counted at one time")
    options.add_argument("--results", type=Path, help="a Markdown file to write")
    asked = options.parse_args()
    asked.variant, asked.call = asked.variant or list(VARIANTS), asked.call or SHARED + OWN
    found = measure(asked)
    told = [counts(found), goals(found)]
    print("\n\n".join(told))
    if asked.results:
        fast_reads = os.environ.get("FAST_READS") or "not set"
        about = f"scale {asked.scale:g}, {asked.requests} requests, FAST_READS {fast_reads}"
        write(asked.results, "Instructions", circumstances(about), *told)


if __name__ == "__main__":
    main()
