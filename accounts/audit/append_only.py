"""Triggers on both engines that allow only INSERT into the tables of the audit.

A migration creates them, every `migrate` recreates missing ones, and config.checks reports missing
ones. The owner of the tables can remove the triggers; the hash chain then detects changed rows
(accounts.audit.hash_chain).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from django.db import connections

from config.db.tables import table_names
from config.db.types import BaseDatabaseWrapper, CursorWrapper

# The unique columns of each table. SQLite's rowid is always one.
UNIQUE_COLUMNS = {
    "accounts_auditevent": ["id"],
    "accounts_auditseal": ["n", "event", "rowid"],
}

BODY = """
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
"""
FUNCTION = (
    f"CREATE OR REPLACE FUNCTION only_append() RETURNS trigger LANGUAGE plpgsql AS $${BODY}$$"
)
POSTGRESQL = {
    "update": "BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION only_append()",
    "delete": "BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION only_append()",
    "truncate": "BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION only_append()",
}

# INSERT OR REPLACE deletes rows without calling DELETE triggers, so that it is refused at INSERT.
ROW_EXISTS = "EXISTS (SELECT 1 FROM {table} WHERE {same})"
REFUSE = "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
SQLITE = {
    "update": f"BEFORE UPDATE ON {{table}} {REFUSE}",
    "delete": f"BEFORE DELETE ON {{table}} {REFUSE}",
    "replace": f"BEFORE INSERT ON {{table}} WHEN {ROW_EXISTS} {REFUSE}",
}


class Trigger(NamedTuple):
    name: str
    table: str
    sql: str


def install(connection: BaseDatabaseWrapper) -> None:
    """Create missing triggers."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(FUNCTION)
        for trigger in missing(connection):
            cursor.execute(_drop(trigger, connection.vendor))  # an outdated trigger with this name
            cursor.execute(trigger.sql)


def remove(connection: BaseDatabaseWrapper) -> None:
    """Drop the triggers."""
    with connection.cursor() as cursor:
        for trigger in _triggers(connection, cursor):
            cursor.execute(_drop(trigger, connection.vendor))


@contextmanager
def triggers_disabled(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Drop the triggers during the block; only the owner of the tables may do this.

    Use it in a transaction, so that other connections never see the tables without triggers.
    """
    remove(connection)
    yield
    install(connection)


def missing(connection: BaseDatabaseWrapper) -> list[Trigger]:
    """Return the triggers that are missing, disabled or outdated."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_get_triggerdef(pg_trigger.oid, true)"
                " FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
                " WHERE tgenabled IN ('O', 'A') AND prosrc = %s"
                " AND tgrelid::regclass::text = ANY(%s)",
                [BODY, list(UNIQUE_COLUMNS)],
            )
        else:
            cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
        found = {sql for (sql,) in cursor.fetchall()}
        return [one for one in _triggers(connection, cursor) if one.sql not in found]


def install_after_migrate(sender: object, using: str, **kwargs: Any) -> None:
    """Receive the signal post_migrate."""
    install(connections[using])


def _triggers(connection: BaseDatabaseWrapper, cursor: CursorWrapper) -> list[Trigger]:
    """Return the triggers for the existing tables."""
    operations = POSTGRESQL if connection.vendor == "postgresql" else SQLITE
    tables = table_names(connection.vendor, cursor)
    return [
        Trigger(
            name := f"{table}_{operation}",
            table,
            f"CREATE TRIGGER {name} {sql.format(table=table, same=_same(columns))}",
        )
        for table, columns in UNIQUE_COLUMNS.items()
        if table in tables
        for operation, sql in operations.items()
    ]


def _same(columns: list[str]) -> str:
    """Return the condition that a row has the same key as the new row."""
    return " OR ".join(f"{column} = NEW.{column}" for column in columns)


def _drop(trigger: Trigger, vendor: str) -> str:
    on = f" ON {trigger.table}" if vendor == "postgresql" else ""
    return f"DROP TRIGGER IF EXISTS {trigger.name}{on}"
