"""The fixtures of every test; the people are in config/tests/personas.py."""

from collections import Counter
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import translation
from rest_framework.test import APIClient

from accounts.audit import append_only
from accounts.auth.sessions import open_session
from appointments.tests.factories import TimeSlotFactory
from appointments.tests.race import Processes, Threads
from config.db.prepared import PreparedQuery
from config.tests import documented_answers

pytest_plugins = ["config.tests.personas"]

COMPARES_ANSWERS = "config.tests.documented_answers.DocumentedAnswersMiddleware"
COMPARISONS = 20  # of each prepared statement in a run


@pytest.fixture(autouse=True)
def clean_slate(settings):
    """Fast password hashes, no list of static files, empty throttle counters, and new slot dates.

    TimeSlotFactory makes one slot a day, from tomorrow on.
    """
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.WHITENOISE_AUTOREFRESH = True
    settings.AUDIT_READS = "sync"
    settings.SESSION_IDLE = settings.SESSION_ABSOLUTE = timedelta()  # no limits
    settings.WEB_DELIVERS_LETTERS = False  # accounts.tests.helpers.sent_mail delivers them
    cache.clear()
    translation.activate(settings.LANGUAGE_CODE)  # a request leaves its language to the thread
    TimeSlotFactory.reset_sequence()


@pytest.fixture(autouse=True)
def answers_are_as_documented(settings):
    """Compares every API response of the test with the OpenAPI document."""
    settings.MIDDLEWARE = [COMPARES_ANSWERS, *settings.MIDDLEWARE]
    documented_answers.problems.clear()
    yield
    assert documented_answers.problems == []


@pytest.fixture(autouse=True, scope="session")
def emptied_between_tests(django_db_setup):
    """Drops the audit's triggers while the tables are emptied after a transactional test.

    `post_migrate`, which Django sends afterwards, installs the triggers again.
    """
    flush = connection.ops.execute_sql_flush

    def without_triggers(statements):
        append_only.remove(connection)
        flush(statements)

    connection.ops.execute_sql_flush = without_triggers


@pytest.fixture(autouse=True, scope="session")
def no_autovacuum(django_db_setup, django_db_blocker):
    """Keeps PostgreSQL from collecting statistics of other tests' rows: plans are tested."""
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f'ALTER TABLE "{table}" SET (autovacuum_enabled = false)')


@pytest.fixture(autouse=True, scope="session")
def prepared_statements_equal_those_of_the_queryset():
    """Compares each prepared statement and its parameters with those that Django generates.

    The counters of queries do not see the comparison.
    """
    compared, generate, made = Counter(), PreparedQuery.generate, PreparedQuery._statement

    def generate_uncounted(query, *args):
        with uncounted():
            return generate(query, *args)

    def compare(query, run, key, values):
        statement = made(query, run, key, values)
        if statement is not None and compared[query, run, key] < COMPARISONS:
            compared[query, run, key] += 1
            sql, params = query.generate(run, key, values)
            assert sql in (None, statement.sql)  # None for values that no column can hold
            assert sql is None or list(params) == statement.bind(values)
        return statement

    PreparedQuery.generate, PreparedQuery._statement = generate_uncounted, compare


@contextmanager
def uncounted():
    wrappers, logs = connection.execute_wrappers, connection.force_debug_cursor
    connection.execute_wrappers, connection.force_debug_cursor = [], False
    try:
        yield
    finally:
        connection.execute_wrappers, connection.force_debug_cursor = wrappers, logs


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


@pytest.fixture
def migrated_to(transactional_db):
    """Migrates an app back to a migration and returns the old models; undone after the test."""

    def migrate(app, name):
        executor = MigrationExecutor(connection)
        return executor.migrate([(app, name)]).apps

    yield migrate
    call_command("migrate", verbosity=0)
