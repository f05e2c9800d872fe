"""The API is what its documentation says, whatever is sent: no 5xx, no answer out of shape.

`FUZZ_CASES` and `FUZZ_SEED` make more of it, and other cases (verification/fuzz.py).
"""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from config.access_report import iter_endpoints
from config.tests.fuzzing import Fuzzer, load
from config.tests.test_matrix import two_sides

OPERATIONS = sorted(
    f"{method} {door.address.replace('{pk}', '{id}')}"
    for door in iter_endpoints()
    if door.is_canonical
    for method, _ in door.methods
)
CASES = int(os.environ.get("FUZZ_CASES", "1500"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))

# Whatever is found, is found again in the next run: the seed is fixed and nothing is remembered.
# Nothing is shrunk, for the cases are small and the run is to be short.
REPRODUCIBLE = settings(
    max_examples=max(1, CASES // len(OPERATIONS)),
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def world(db, settings):
    settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"DEFAULT_THROTTLE_RATES": {}}
    return two_sides()


@pytest.mark.parametrize("label", OPERATIONS)
def test_an_operation_answers_as_documented(world, label):
    fuzzer = Fuzzer(world)
    operation = load().find_operation_by_label(label)

    seed(SEED)(REPRODUCIBLE(given(drawn=fuzzer.cases(operation))(_send(fuzzer))))()

    tell(label, fuzzer)
    assert fuzzer.found == {}


def tell(label, fuzzer):
    """A line for verification/fuzz.py, where it asks for one."""
    if name := os.environ.get("FUZZ_TALLY"):
        found = [[*what, how] for what, how in fuzzer.found.items()]
        line = json.dumps({"label": label, "statuses": fuzzer.statuses, "found": found})
        with Path(name).open("a") as tally:
            tally.write(f"{line}\n")


def _send(fuzzer):
    def send(drawn):
        fuzzer.try_out(*drawn)

    return send
