"""Counts the instructions that one request costs, with valgrind's callgrind.

    python -m benchmarks.instructions --results benchmarks/RESULTS.md
    python -m benchmarks.instructions --scale 1 --variant product --call list

Counts repeat within 2 % and do not depend on the load of the machine. Each variant runs in one
process without a web server, over a copy of the same database. The product reads FAST_READS from
the environment. PostgreSQL is the server of DATABASE_URL, by default the local one.
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
from verification.server import ROOT, configure, fresh_database

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
    """The highest ratio to another variant, without and with audited reads.

    A ratio without a limit (None) is only reported.
    """

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

# {call: instructions without and with audited reads} of commit 3ad27a8 with CPython 3.11.7, which
# later versions must not exceed.
BEFORE = {
    "upcoming": (8_326_000, 9_397_000),
    "doctors": (7_563_000, 7_561_000),
    "patients": (6_015_000, 7_133_000),
    "consultations": (19_715_000, 20_827_000),
}
PRODUCTS = ["product", "product, reads audited"]

TABLES = """\
Thousands of instructions per request; PostgreSQL's are not counted. `fastapi` uses SQLAlchemy's ORM
and `fastapi core` its Core. Neither gunicorn nor uvicorn runs."""


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
            cwd=ROOT,
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
    """Returns the instructions in one file of callgrind, of all threads."""
    for line in Path(file).read_text().splitlines():
        if line.startswith("totals: "):
            return int(line.removeprefix("totals: "))
    raise SystemExit(f"{file} has no totals.")


def requests_of(calls, chosen, number):
    """Returns {call: requests as text}, equal for each variant."""
    reads = calls.reads() | calls.reads_of_the_product()
    wanted = WARM_UP + number
    made = {name: list(islice(cycle(reads[name]), wanted)) for name in reads}
    made["book"] = list(islice(calls.bookings(batch=wanted), wanted))
    return {name: [one.decode() for one in made[name]] for name in chosen}


@contextmanager
def copied(database, number):
    """Yields the addresses of copies of a database without connections."""
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
    """Returns the table of thousands of instructions as Markdown."""
    names = [name for name in SHARED + OWN if any(name in each for each in found.values())]
    lines = [["call", *found], ["---"] * (1 + len(found))]
    for name in names:
        numbers = [f"{each[name] / 1000:,.0f}" if name in each else "" for each in found.values()]
        lines.append([name, *numbers])
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def goals(found):
    """Returns the table of limits, ratios and verdicts as Markdown."""
    lines = ["| instructions | limit | product | | limit | reads audited | |", "|" + " --- |" * 7]
    for call, other, *limits in LIMITS:
        others = [found.get(other, {}).get(call)] * 2
        lines += _judged(found, f"{call} ÷ {other}'s", call, others, limits)
    for call, others in BEFORE.items():
        lines += _judged(found, f"{call} ÷ before", call, others, [1, 1])
    return "\n".join(lines)


def _judged(found, title, call, others, limits):
    """Returns the line of one limit, or no line if it was not counted."""
    cells = [title]
    for variant, other, limit in zip(PRODUCTS, others, limits, strict=True):
        counted = found.get(variant, {}).get(call)
        if not (counted and other):
            cells += ["", "", ""]
            continue
        ratio = counted / other
        if limit is None:
            cells += ["", f"{ratio:.2f}", "reported"]
        else:
            verdict = "reached" if ratio <= limit else "missed"
            cells += [f"≤ {limit:g}", f"{ratio:.2f}", verdict]
    return [f"| {' | '.join(cells)} |"] if any(cells[1:]) else []


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
        write(asked.results, "Instructions", circumstances(about), TABLES, *told)


if __name__ == "__main__":
    main()
