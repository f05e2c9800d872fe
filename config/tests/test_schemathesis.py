"""Generated requests get documented responses: no 5xx and no undocumented schema.

`FUZZ_CASES` and `FUZZ_SEED` set the number of cases and the seed (verification/fuzz.py).
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
    f"{method} {endpoint.address.replace('{pk}', '{id}')}"
    for endpoint in iter_endpoints()
    if endpoint.is_canonical
    for method, _ in endpoint.methods
)
CASES = int(os.environ.get("FUZZ_CASES", "1500"))
SEED = int(os.environ.get("FUZZ_SEED", "0"))

# The seed is fixed and no example is stored, so that a failure repeats in the next run. Examples
# are not shrunk, because they are small and shrinking is slow.
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
def test_responses_match_the_documentation(world, label):
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
