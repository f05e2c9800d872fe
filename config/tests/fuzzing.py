"""Requests made up from the OpenAPI document, and what each answer is held to.

Schemathesis makes the requests; half of them are aimed at records that are there, with a body that
would do but for a few of its fields, so that they come past the first check.
"""

from collections import Counter
from functools import cache as once
from functools import partial

import schemathesis
from django.core.cache import cache
from django.db import transaction
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi import checks

from accounts.auth.sessions import open_session
from accounts.tests.test_bad_bodies import good_bodies
from config.tests.live_server import application, keep_connection_open
from config.tests.test_matrix import Asked, bodies
from config.tests.unchanged import database_digest, record_writes

# Not among them: whether what breaks the schema is refused and what keeps to it accepted. DRF reads
# "30" as 30 and 30 as "30", and a time slot may fit the schema and lie in the past. And who may
# what is the matrix's business, which asks more than `ignored_auth` does.
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.allow_header_conformance,
]
CALLERS = ["jane", "house", "new", "ada", "anonymous"]


@once
def load():
    """The documented API, served by what serves it in production."""
    address, config = "/api/schema/?format=json", schemathesis.Config()
    with keep_connection_open():
        return schemathesis.openapi.from_wsgi(address, application(), config=config)


class Fuzzer:
    """Sends cases into a world of two sides (test_matrix) and keeps what was found."""

    def __init__(self, world):
        self.world = world
        self.statuses, self.found = Counter(), {}
        self.tokens = {
            name: open_session(getattr(world, name))["access"]
            for name in CALLERS
            if name != "anonymous"
        }
        self.before = database_digest()

    def cases(self, operation):
        """(the caller's name, a case)."""
        return st.sampled_from(CALLERS).flatmap(
            lambda caller: st.tuples(st.just(caller), self._aimed(operation, caller))
        )

    def _aimed(self, operation, caller):
        modes = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
        made_up = st.one_of([operation.as_strategy(generation_mode=mode) for mode in modes])
        aim = aim_at(operation, Asked(self.world, caller, "j", {}))
        return st.builds(aim, made_up, st.booleans(), st.integers(0, 2**16 - 1))

    def try_out(self, caller, case):
        """Send a case, note what is wrong with the answer, and undo it."""
        cache.clear()
        with transaction.atomic(), record_writes() as written:
            answer = self.send(caller, case)
            if answer.status_code >= 400 and written and database_digest() != self.before:
                self._note("A half write", caller, case, answer, written)
            transaction.set_rollback(True)

    def send(self, caller, case):
        token = self.tokens.get(caller)
        with keep_connection_open():
            answer = case.call(headers={"Authorization": f"Bearer {token}"} if token else {})
        self.statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                self._note(failure.title, caller, case, answer, failure.message)
        return answer

    def _note(self, title, caller, case, answer, why):
        key = (title, case.operation.label, answer.status_code, str(why)[:400])
        self.found.setdefault(key, f"{caller}: {case.as_curl_command()}")


def aim_at(operation, asked):
    """A function that aims a case of the operation at the records of `asked`."""
    address = operation.path.replace("{id}", "{pk}")
    ids = asked.path_ids(address)
    good = bodies(asked).get(f"{operation.method.upper()} {address}")
    good = good or good_bodies().get(address.removeprefix("/api/auth/").strip("/"), {})
    return partial(_aim, ids=ids | {"id": ids["pk"]}, good=good)


def _aim(case, at_a_record, kept, *, ids, good):
    """The case at a record that is there, its body a good one but for the fields in `kept`."""
    if at_a_record:
        for name in case.path_parameters or ():
            case.path_parameters[name] = ids[name]
        if isinstance(case.body, dict):
            names = [name for place, name in enumerate(case.body) if kept >> place & 1]
            case.body = good | {name: case.body[name] for name in names}
    return case
