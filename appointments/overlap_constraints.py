"""The database's own word on overlaps: no two standing slots of a doctor, and no two live
appointments of a patient, share time.

PostgreSQL holds it by exclusion constraints, SQLite by triggers of the same names and meaning. They
stand outside the models' Meta, which SQLite could not carry out: a migration makes them, and after
every migration they are made again where they are missing, for SQLite drops the triggers of a table
that it rebuilds. config.checks misses them loudly, also where another rule has taken their name.
"""

import re
from typing import NamedTuple

from django.db import connections

from config.errors import rule_error


class OverlapConstraint(NamedTuple):
    """Rows of `table` with the same `owner`, among the `standing` ones, do not share time."""

    name: str
    table: str
    owner: str
    standing: str  # SQL over one row, whose name goes where {row} stands
    field: str
    code: str
    sentence: str

    def validation_error(self):
        """What the service would have said."""
        return rule_error(self.field, self.sentence, self.code)


OVERLAP_CONSTRAINTS = [
    OverlapConstraint(
        name="slots_of_a_doctor_do_not_overlap",
        table="appointments_timeslot",
        owner="doctor_id",
        standing="{row}withdrawn_at IS NULL",
        field="start_time",
        code="slot_overlap",
        sentence="The doctor has another slot at that time.",
    ),
    OverlapConstraint(
        name="appointments_of_a_patient_do_not_overlap",
        table="appointments_appointment",
        owner="patient_id",
        standing="{row}status <> 'cancelled'",
        field="time_slot",
        code="patient_overlap",
        sentence="The patient has another appointment at that time.",
    ),
]

EXCLUSION = """
ALTER TABLE {table} ADD CONSTRAINT {name} EXCLUDE USING gist
    ({owner} WITH =, tstzrange(starts_at, ends_at) WITH &&) WHERE ({standing})
"""

TRIGGER = """
CREATE TRIGGER {name}_{event} BEFORE {event} ON {table}
WHEN {new_stands} BEGIN
    SELECT RAISE(ABORT, 'constraint failed: {name}') WHERE EXISTS (
        SELECT 1 FROM {table} AS other
        WHERE other.{owner} = NEW.{owner} AND other.id IS NOT NEW.id AND {other_stands}
            AND other.starts_at < NEW.ends_at AND other.ends_at > NEW.starts_at
    );
END
"""
EVENTS = ("insert", "update")

# As those statements would read, had they been written by the database.
INSTALLED_SQL = {
    "postgresql": """
        SELECT format('ALTER TABLE %s ADD CONSTRAINT %s %s',
                      relname, conname, pg_get_constraintdef(pg_constraint.oid))
        FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
        WHERE contype = 'x' AND pg_table_is_visible(conrelid)
    """,
    "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'trigger'",
}
SQL_NORMALISATIONS = re.compile(r"[\s()]|::\w+")  # PostgreSQL adds brackets and types


def install(connection):
    """Make the guards that are missing."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        for guard in missing(connection):
            _drop(guard, connection.vendor, cursor)
            for statement in _statements(guard, connection.vendor):
                cursor.execute(statement)


def remove(connection):
    """Take the guards away; for the migration backwards."""
    with connection.cursor() as cursor:
        for guard in OVERLAP_CONSTRAINTS:
            _drop(guard, connection.vendor, cursor)


def missing(connection):
    """The guards that the database lacks as they are meant, though it has their tables."""
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
        cursor.execute(INSTALLED_SQL[connection.vendor])
        made = {_normalise_sql(statement) for (statement,) in cursor.fetchall()}
    return [
        guard
        for guard in OVERLAP_CONSTRAINTS
        if guard.table in tables
        and not made.issuperset(map(_normalise_sql, _statements(guard, connection.vendor)))
    ]


def install_after_migrate(sender, using, **kwargs):
    """Receiver of post_migrate."""
    install(connections[using])


def _drop(guard, vendor, cursor):
    if vendor == "postgresql":
        cursor.execute(f"ALTER TABLE {guard.table} DROP CONSTRAINT IF EXISTS {guard.name}")
    else:
        for event in EVENTS:
            cursor.execute(f"DROP TRIGGER IF EXISTS {guard.name}_{event}")


def _normalise_sql(statement):
    return SQL_NORMALISATIONS.sub("", statement)


def _statements(guard, vendor):
    words = guard._asdict()
    if vendor == "postgresql":
        return [EXCLUSION.format(**words | {"standing": guard.standing.format(row="")})]
    stands = {
        "new_stands": guard.standing.format(row="NEW."),
        "other_stands": guard.standing.format(row="other."),
    }
    return [TRIGGER.format(event=event, **words, **stands) for event in EVENTS]
