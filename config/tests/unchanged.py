"""Detects whether a refused request has changed the database."""

from contextlib import contextmanager
from hashlib import sha256

from django.apps import apps
from django.db import connection

from accounts.models import AuditEvent, LoginCounter

WRITTEN_ON_ERRORS = (LoginCounter, AuditEvent)
WRITE_STATEMENTS = ("INSERT", "UPDATE", "DELETE")


def database_digest():
    """Returns a hash of all rows, except of tables that a refused request writes to."""
    rows = {
        model._meta.label: sorted(map(repr, model._base_manager.values_list()))
        for model in apps.get_models()
        if not (model._meta.proxy or model in WRITTEN_ON_ERRORS)
    }
    return sha256(repr(rows).encode()).hexdigest()


@contextmanager
def record_writes():
    """Yields a list that collects the INSERT, UPDATE and DELETE statements of the block."""
    statements = []

    def watch(execute, sql, params, many, context):
        if sql.lstrip().startswith(WRITE_STATEMENTS) and AuditEvent._meta.db_table not in sql:
            statements.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield statements
