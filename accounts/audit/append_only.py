"""The database's own word on the audit: its rows are added, never changed, removed or replaced.

Triggers on both engines. As with the guards of appointments, a migration makes them and every
migration makes those anew that are missing; config.checks misses them loudly. Who owns the tables
can still take the triggers away: that is what the seals are for (accounts.audit.hash_chain).
"""

from contextlib import contextmanager
from typing import NamedTuple

from django.db import connections

# By table, what a row must not share with another one. SQLite's rowid is a key even where nobody
# has made it one.
KEYS = {
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

# REPLACE deletes without a word to any trigger, so the row is refused that takes the other's place.
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


def install(connection):
    """Make the triggers that are missing."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(FUNCTION)
        for trigger in missing(connection):
            cursor.execute(_drop(trigger, connection.vendor))  # one of that name and other meaning
            cursor.execute(trigger.sql)


def remove(connection):
    """Take the triggers away."""
    with connection.cursor() as cursor:
        for trigger in _triggers(connection, cursor):
            cursor.execute(_drop(trigger, connection.vendor))


@contextmanager
def triggers_disabled(connection):
    """Without the triggers as long as the block lasts, which only the tables' owner may do.

    Within a transaction, so that nobody else sees the tables without them.
    """
    remove(connection)
    yield
    install(connection)


def missing(connection):
    """The triggers that the database lacks, has switched off, or has in name only."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(
                "SELECT pg_get_triggerdef(pg_trigger.oid, true)"
                " FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid"
                " WHERE tgenabled IN ('O', 'A') AND prosrc = %s"
                " AND tgrelid::regclass::text = ANY(%s)",
                [BODY, list(KEYS)],
            )
        else:
            cursor.execute("SELECT sql FROM sqlite_master WHERE type = 'trigger'")
        found = {sql for (sql,) in cursor.fetchall()}
        return [one for one in _triggers(connection, cursor) if one.sql not in found]


def install_after_migrate(sender, using, **kwargs):
    """Receiver of post_migrate."""
    install(connections[using])


def _triggers(connection, cursor):
    """Those that belong on the tables that are there."""
    deeds = POSTGRESQL if connection.vendor == "postgresql" else SQLITE
    tables = connection.introspection.table_names(cursor)
    return [
        Trigger(
            name := f"{table}_{deed}",
            table,
            f"CREATE TRIGGER {name} {sql.format(table=table, same=_same(keys))}",
        )
        for table, keys in KEYS.items()
        if table in tables
        for deed, sql in deeds.items()
    ]


def _same(keys):
    return " OR ".join(f"{key} = NEW.{key}" for key in keys)


def _drop(trigger, vendor):
    on = f" ON {trigger.table}" if vendor == "postgresql" else ""
    return f"DROP TRIGGER IF EXISTS {trigger.name}{on}"
