"""Database constraints against overlaps: of a doctor's slots and of a patient's appointments.

They concern slots that are not withdrawn, and appointments that are not cancelled. PostgreSQL
has exclusion constraints, SQLite has triggers with the same names and meaning. The models' Meta
cannot declare them, because SQLite has no exclusion constraints: a migration installs them, and
`post_migrate` installs missing ones again, because SQLite drops the triggers of a table that it
rebuilds. config.checks reports a constraint that is missing, or that has another definition.
"""

import re
from typing import NamedTuple

from django.db import connections
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from config.db.tables import table_names
from config.errors import rule_error


class OverlapConstraint(NamedTuple):
    """Rows of `table` that have the same `owner` and meet `condition` do not overlap.

    `condition` is SQL for one row; `{row}` stands for the name of the row, with a dot.
    """

    name: str
    table: str
    owner: str
    condition: str
    field: str
    code: str
    sentence: str | Promise

    def validation_error(self):
        """Return the same error that the service raises."""
        return rule_error(self.field, self.sentence, self.code)


OVERLAP_CONSTRAINTS = [
    OverlapConstraint(
        name="slots_of_a_doctor_do_not_overlap",
        table="appointments_timeslot",
        owner="doctor_id",
        condition="{row}withdrawn_at IS NULL",
        field="start_time",
        code="slot_overlap",
        sentence=_("The doctor has another slot at that time."),
    ),
    OverlapConstraint(
        name="appointments_of_a_patient_do_not_overlap",
        table="appointments_appointment",
        owner="patient_id",
        condition="{row}status <> 'cancelled'",
        field="time_slot",
        code="patient_overlap",
        sentence=_("The patient has another appointment at that time."),
    ),
]

EXCLUSION = """
ALTER TABLE {table} ADD CONSTRAINT {name} EXCLUDE USING gist
    ({owner} WITH =, tstzrange(starts_at, ends_at) WITH &&) WHERE ({condition})
"""

TRIGGER = """
CREATE TRIGGER {name}_{event} BEFORE {event} ON {table}
WHEN {new_condition} BEGIN
    SELECT RAISE(ABORT, 'constraint failed: {name}') WHERE EXISTS (
        SELECT 1 FROM {table} AS other
        WHERE other.{owner} = NEW.{owner} AND other.id IS NOT NEW.id AND {other_condition}
            AND other.starts_at < NEW.ends_at AND other.ends_at > NEW.starts_at
    );
END
"""
EVENTS = ("insert", "update")

# Queries for the statements of the installed constraints, as the database prints them.
INSTALLED_SQL = {
    "postgresql": """
        SELECT format('ALTER TABLE %s ADD CONSTRAINT %s %s',
                      relname, conname, pg_get_constraintdef(pg_constraint.oid))
        FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
        WHERE contype = 'x' AND pg_table_is_visible(conrelid)
    """,
    "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'trigger'",
}
SQL_NORMALISATIONS = re.compile(r"[\s()]|::\w+")  # PostgreSQL adds parentheses and casts


def install(connection):
    """Create the constraints that are missing."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
        for constraint in missing(connection):
            _drop(constraint, connection.vendor, cursor)
            for statement in _statements(constraint, connection.vendor):
                cursor.execute(statement)


def remove(connection):
    """Drop the constraints, when the migration is reversed."""
    with connection.cursor() as cursor:
        for constraint in OVERLAP_CONSTRAINTS:
            _drop(constraint, connection.vendor, cursor)


def missing(connection):
    """Return the constraints that are missing or differ, for the tables that exist."""
    with connection.cursor() as cursor:
        tables = table_names(connection.vendor, cursor)
        cursor.execute(INSTALLED_SQL[connection.vendor])
        installed = {_normalise_sql(statement) for (statement,) in cursor.fetchall()}
    return [
        constraint
        for constraint in OVERLAP_CONSTRAINTS
        if constraint.table in tables
        and not installed.issuperset(
            map(_normalise_sql, _statements(constraint, connection.vendor))
        )
    ]


def install_after_migrate(sender, using, **kwargs):
    """Receive `post_migrate`."""
    install(connections[using])


def _drop(constraint, vendor, cursor):
    if vendor == "postgresql":
        cursor.execute(
            f"ALTER TABLE {constraint.table} DROP CONSTRAINT IF EXISTS {constraint.name}"
        )
    else:
        for event in EVENTS:
            cursor.execute(f"DROP TRIGGER IF EXISTS {constraint.name}_{event}")


def _normalise_sql(statement):
    return SQL_NORMALISATIONS.sub("", statement)


def _statements(constraint, vendor):
    parts = {"name": constraint.name, "table": constraint.table, "owner": constraint.owner}
    condition = constraint.condition
    if vendor == "postgresql":
        return [EXCLUSION.format(condition=condition.format(row=""), **parts)]
    parts |= {
        "new_condition": condition.format(row="NEW."),
        "other_condition": condition.format(row="other."),
    }
    return [TRIGGER.format(event=event, **parts) for event in EVENTS]
