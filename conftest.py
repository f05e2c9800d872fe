"""The fixtures every test may ask for: `api`, an `outsider`, `callers`, and a clean slate."""

from collections import Counter

import pytest
from django.core.cache import cache
from django.core.exceptions import EmptyResultSet
from django.db import connection
from rest_framework.test import APIClient

from accounts import append_only
from accounts.sessions import open_session
from appointments.tests.factories import TimeSlotFactory
from appointments.tests.race import Processes, Threads
from config.api import statements
from config.api.compiled import CompiledQuery

TIMES = 50  # that a statement is compared in a run


@pytest.fixture(autouse=True)
def clean_slate(settings):
    """No test pays for a slow hash, a list of static files, or the throttles of the one before; its
    slots lie on one day after the other, from tomorrow on.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.WHITENOISE_AUTOREFRESH = True
    settings.AUDIT_READS = "sync"
    cache.clear()
    TimeSlotFactory.reset_sequence()


@pytest.fixture(autouse=True, scope="session")
def emptied_between_tests(django_db_setup):
    """The audit refuses to be emptied, which the tests of whole transactions want; the migrations'
    signal, sent after that, has its triggers made anew.
    """
    flush = connection.ops.execute_sql_flush

    def without_triggers(statements):
        append_only.remove(connection)
        flush(statements)

    connection.ops.execute_sql_flush = without_triggers


@pytest.fixture(autouse=True, scope="session")
def kept_statements_are_what_django_writes():
    """Each statement that is kept is compared, the first times, with one that is written anew."""
    filled_in, compared = statements.Statement.filled_in, Counter()

    def compare(statement, compiler, comparisons):
        filled = filled_in(statement, compiler, comparisons)
        if compared[statement.sql] < TIMES:
            compared[statement.sql] += 1
            other = compiler.query.clone().get_compiler(
                connection=compiler.connection, elide_empty=compiler.elide_empty
            )
            with statements.written_anew():
                assert filled in (None, other.as_sql())
        return filled

    statements.Statement.filled_in = compare


@pytest.fixture(autouse=True, scope="session")
def compiled_queries_are_what_they_are_built_of():
    """So is what a compiled query asks."""
    ask, compared = CompiledQuery.__call__, Counter()

    def ask_and_compare(query, *values):
        rows = ask(query, *values)
        compiled = query.compiled.get(connection.vendor)
        if compiled and compared[query] < TIMES:
            compared[query] += 1
            built = query.build(*values).query
            try:
                with statements.written_anew():
                    expected = built.get_compiler("default").as_sql()
            except EmptyResultSet:
                assert not rows
            else:
                assert compiled.filled_in(built.get_compiler("default"), values) == expected
        return rows

    CompiledQuery.__call__ = ask_and_compare


@pytest.fixture
def api():
    """A client signed in as the user it is called with; called without one, a stranger."""

    def client(user=None, **kwargs):
        client = APIClient(**kwargs)
        if user is not None:
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {open_session(user)['access']}")
        return client

    return client


@pytest.fixture
def outsider(transactional_db):
    """Another connection to the database of the test."""
    other = connection.copy()
    yield other
    other.close()
    connection.close()


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    callers = Processes(tmp_path_factory.mktemp("race") / "clinic.sqlite3")
    yield callers
    callers.close()


@pytest.fixture
def callers(request):
    """Many at the same moment, whatever the engine. See appointments.tests.race."""
    if connection.vendor == "postgresql":
        return Threads()
    return request.getfixturevalue("processes")
