"""Runs the API fuzzers of config/tests with many more cases than the test suite.

    python -m verification.fuzz --engine sqlite --cases 50000
    python -m verification.fuzz --engine postgresql --cases 50000 --seed 7

The fuzzers are test_schemathesis.py (single requests) and test_stateful.py (sequences). The script
prints the number of requests, the statuses, and each violation with its request. It exits with 1 if
there is a violation. `--seed` repeats the requests of a run; without it each run differs.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from verification.server import ADMIN_DATABASE, ROOT


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", choices=["sqlite", "postgresql"], default="sqlite")
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--processes", default="auto")
    asked = parser.parse_args()
    seed = secrets.randbelow(2**32) if asked.seed is None else asked.seed
    print(f"engine {asked.engine}, seed {seed}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        tally = Path(folder) / "tally"
        tally.touch()
        run = _run(asked, seed, tally)
        lines = [json.loads(line) for line in tally.read_text().splitlines()]

    statuses, found = Counter(), []
    for line in lines:
        statuses.update(line["statuses"])
        found += line["found"]
    server_errors = sum(n for status, n in statuses.items() if status.startswith("5"))
    print(f"{len(lines)} tests, {sum(statuses.values())} requests")
    print(" ".join(f"{status}: {n}" for status, n in sorted(statuses.items())))
    print(f"{server_errors} server errors, {len(found)} violations")
    for title, operation, status, why, how in found:
        print(f"\n{title}: {operation} answered {status}\n{why}\n{how}")
    if run.returncode and not found:
        print(run.stdout[-3000:])
    raise SystemExit(1 if found or server_errors or run.returncode else 0)


def _run(asked, seed, tally):
    environment = os.environ | {
        "FUZZ_CASES": str(asked.cases),
        "FUZZ_SEED": str(seed),
        "FUZZ_TALLY": str(tally),
        "DATABASE_URL": "",
    }
    if asked.engine == "postgresql":
        environment["DATABASE_URL"] = os.environ.get("DATABASE_URL") or ADMIN_DATABASE
    command = [sys.executable, "-m", "pytest", "-q", "-n", asked.processes, "--show-capture=no"]
    return subprocess.run(  # noqa: S603
        [*command, "config/tests/test_schemathesis.py", "config/tests/test_stateful.py"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    main()
