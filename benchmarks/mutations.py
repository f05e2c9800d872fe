"""Take out, one after the other, what the product relies on, and see whether the tests notice.

    python benchmarks/mutations.py --set booking
    python benchmarks/mutations.py --set booking --only "patient is locked"
    python benchmarks/mutations.py --list

Each mutant is made in a copy of the tree, and the tests named with it are run there, on the engine
named with it: a test that fails kills it. What is no failed test (an error in collecting or setting
up, no test at all, no end) is a mistake of the table and no kill. First the same tests must pass as
the tree is. Prints the score; exits 1 where a mutant survives or does not apply any more.

DATABASE_URL names the PostgreSQL server; each copy has a database of its own there.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count, product
from pathlib import Path
from queue import SimpleQueue
from shutil import copyfile
from tempfile import TemporaryDirectory
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg2
from mutants import access, booking
from mutants.mutant import HOUSE, POSTGRESQL, SQLITE
from psycopg2 import sql

SERVER = os.environ.get("DATABASE_URL") or "postgres://root@127.0.0.1:5432/postgres"
PATIENCE = 300  # seconds until tests that do not end are stopped
SOME_TESTS_FAILED = 1  # pytest's exit status

# Each makes its list of mutants: written out, or generated from the product's tables.
SETS = {"booking": booking.every_mutant, "access": access.every_mutant}

# The test that killed each of them last: asked first, for it saves the others. See --remember.
KILLERS_FILE = Path(__file__).parent / "mutants" / "killers.json"
KILLERS = json.loads(KILLERS_FILE.read_text())

KILLED, SURVIVED, MISTAKE = "killed", "SURVIVED", "MISTAKE"


class Verdict(NamedTuple):
    mutant: str
    outcome: str
    told: str  # the test that noticed, or what went wrong
    seconds: float


class Copy:
    """The tree, as it stands in the working directory, in a folder of its own."""

    def __init__(self, folder, number):
        self.folder = Path(folder) / str(number)
        self.moments = count(1)
        self.database = f"mutations_{os.getpid()}_{number}"
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        files = subprocess.run(listed, cwd=HOUSE, capture_output=True, check=True)  # noqa: S603
        for name in files.stdout.decode().split("\0"):
            if (HOUSE / name).is_file():
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                copyfile(HOUSE / name, self.folder / name)

    @contextmanager
    def mutated(self, mutant):
        """ValueError where an edit does not fit; the files are as before afterwards."""
        before = {edit.file: (self.folder / edit.file).read_text() for edit in mutant.edits}
        after = dict(before)
        for edit in mutant.edits:
            after[edit.file] = edit.applied(after[edit.file])
        try:
            for file, text in after.items():
                compile(text, file, "exec")
                self.write(file, text)
            yield
        finally:
            for file, text in before.items():
                self.write(file, text)

    def write(self, file, text):
        """With a time of its own, by which Python knows that what it compiled before is stale."""
        path = self.folder / file
        path.write_text(text)
        moment = next(self.moments)
        os.utime(path, (moment, moment))

    def test(self, engine, tests, *options, migrate, patience=PATIENCE):
        """(pytest's exit status, what it printed); TimeoutExpired where it does not end in time.

        Tables are made from the models, and kept for the next, unless it is to `migrate`.
        """
        options += ("--create-db",) if migrate else ("--nomigrations", "--reuse-db")
        environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
        if engine == POSTGRESQL:
            url = urlsplit(SERVER)._replace(path=f"/{self.database}").geturl()
            environment["DATABASE_URL"] = url + ("_migrated" if migrate else "")
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, *tests],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=patience,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def drop_databases(self):
        """Those that stopped tests have left."""
        with closing(psycopg2.connect(SERVER)) as server:
            server.autocommit = True
            cursor = server.cursor()
            cursor.execute(
                "SELECT datname FROM pg_database WHERE starts_with(datname, %s)",
                [f"test_{self.database}"],
            )
            for (name,) in cursor.fetchall():
                drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
                cursor.execute(drop.format(sql.Identifier(name)))


def judge(copy, mutant):
    start = time.monotonic()
    try:
        with copy.mutated(mutant):
            outcome, told = noticed(copy, mutant)
    except (ValueError, SyntaxError) as error:
        outcome, told = MISTAKE, str(error)
    except subprocess.TimeoutExpired:
        copy.drop_databases()
        outcome, told = MISTAKE, f"The tests do not end within {PATIENCE} s."
    return Verdict(mutant.name, outcome, told, time.monotonic() - start)


def noticed(copy, mutant):
    """The verdict of the test that killed it before, and where that does not, of them all."""
    outcome, told = SURVIVED, ""
    for tests in KILLERS.get(mutant.name, []), mutant.tests:
        if tests and outcome != KILLED:
            ran = copy.test(mutant.engine, tests, "-x", migrate=mutant.changes_tables)
            outcome, told = verdict(*ran)
    return outcome, told


def verdict(status, printed):
    if status == 0:
        return SURVIVED, ""
    failed = re.search(r"^FAILED (.+?)(?: - |$)", printed, re.MULTILINE)
    if status == SOME_TESTS_FAILED and failed:
        return KILLED, failed[1]
    return MISTAKE, f"pytest ended with {status}:\n{printed}"


def must_pass_unmutated(copy, chosen, jobs):
    for engine, migrate in product((SQLITE, POSTGRESQL), (False, True)):
        ways = [one for one in chosen if (one.engine, one.changes_tables) == (engine, migrate)]
        if tests := sorted({test for one in ways for test in one.tests}):
            spread = ("-n", str(jobs))
            status, printed = copy.test(engine, tests, *spread, migrate=migrate, patience=None)
            if status:
                raise SystemExit(f"On {engine} the tests do not pass as it is:\n{printed}")
            print(f"unmutated, {engine}: {printed.strip().splitlines()[-1]}", flush=True)


def run(chosen, jobs):
    """The verdicts, printed as they come."""
    with TemporaryDirectory(prefix="mutations-") as folder:
        copies = [Copy(folder, number) for number in range(jobs)]
        idle = SimpleQueue()
        for copy in copies:
            idle.put(copy)

        def judge_in_a_copy(mutant):
            copy = idle.get()
            try:
                result = judge(copy, mutant)
            finally:
                idle.put(copy)
            print(
                f"{result.outcome:9}{result.seconds:5.1f} s  {result.mutant}  {result.told}",
                flush=True,
            )
            return result

        pool = ThreadPoolExecutor(jobs)
        try:
            must_pass_unmutated(copies[0], chosen, jobs)
            return list(pool.map(judge_in_a_copy, chosen))
        finally:
            pool.shutdown(cancel_futures=True)
            if any(one.engine == POSTGRESQL for one in chosen):
                for copy in copies:
                    copy.drop_databases()


def choose(names, only):
    every = [mutant for name in names for mutant in SETS[name]()]
    twice = {one.name for one in every if [other.name for other in every].count(one.name) > 1}
    if twice:
        raise SystemExit(f"Named twice: {', '.join(sorted(twice))}")
    chosen = [one for one in every if not only or any(part in one.name for part in only)]
    if not chosen:
        raise SystemExit("No mutant is called that.")
    return chosen


def remember(verdicts):
    """Without the parameters: any of the test's cases will do."""
    killers = KILLERS | {
        one.mutant: [one.told.partition("[")[0]] for one in verdicts if one.outcome == KILLED
    }
    text = json.dumps(killers, indent=1, sort_keys=True, ensure_ascii=False)
    KILLERS_FILE.write_text(f"{text}\n")


def main():
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--set", action="append", choices=SETS, help="by default all of them")
    options.add_argument("--only", action="append", metavar="NAME", help="a part of a name")
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument(
        "--remember", action="store_true", help="write down which test killed which"
    )
    options.add_argument("--list", action="store_true")
    asked = options.parse_args()
    chosen = choose(asked.set or SETS, asked.only)
    if asked.list:
        for mutant in chosen:
            print(f"{mutant.engine:11}{mutant.name}  ({', '.join(mutant.tests)})")
        return
    start = time.monotonic()
    verdicts = run(chosen, asked.jobs)
    killed = sum(one.outcome == KILLED for one in verdicts)
    if asked.remember:
        remember(verdicts)
    for one in verdicts:
        if one.outcome != KILLED:
            print(f"{one.outcome} {one.mutant}")
    print(f"{killed} of {len(chosen)} killed in {time.monotonic() - start:.0f} s")
    sys.exit(killed != len(chosen))


if __name__ == "__main__":
    main()
