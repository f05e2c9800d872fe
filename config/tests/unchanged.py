"""Whether a request that was refused has left the database as it was."""

from contextlib import contextmanager
from hashlib import sha256

from django.apps import apps
from django.db import connection

from accounts.models import AuditEvent, LoginCounter

TOLD_OF_REFUSALS = (LoginCounter, AuditEvent)
WRITING = ("INSERT", "UPDATE", "DELETE")


def digest():
    """A fingerprint of every row of every table, but for what a refusal is to leave."""
    rows = {
        model._meta.label: sorted(map(repr, model._base_manager.values_list()))
        for model in apps.get_models()
        if not (model._meta.proxy or model in TOLD_OF_REFUSALS)
    }
    return sha256(repr(rows).encode()).hexdigest()


@contextmanager
def writes():
    """The writing statements of the block: a refusal that made none needs no further proof."""
    seen = []

    def watch(execute, sql, params, many, context):
        if sql.lstrip().startswith(WRITING) and AuditEvent._meta.db_table not in sql:
            seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        yield seen
