"""Writes many rows at once with PostgreSQL's COPY."""

import json
from io import StringIO
from itertools import chain, islice

from django.core.management.color import no_style
from django.db import connection
from django.db.models import NOT_PROVIDED

BATCH = 20_000  # rows per COPY


def copy(model, rows):
    """Writes rows, {column: value} with the same columns; other columns get their default."""
    first = next(rows)
    defaults = {
        field.attname: _text(field.get_default())
        for field in model._meta.concrete_fields
        if field.attname in first or not (field.primary_key or field.db_default is not NOT_PROVIDED)
    }
    statement = f"COPY {model._meta.db_table} ({', '.join(defaults)}) FROM STDIN"
    rows = chain([first], rows)
    with connection.cursor() as cursor:
        while lines := [_line(defaults, row) for row in islice(rows, BATCH)]:
            cursor.copy_expert(statement, StringIO("".join(lines)))
        if model._meta.pk.attname in first:  # the sequence does not know these ids
            for reset in connection.ops.sequence_reset_sql(no_style(), [model]):
                cursor.execute(reset)


def set_column_defaults(model):
    """Gives each column that must not be null the default of its field.

    Floor, FastAPI and the typical project insert rows without naming all columns. A new column of
    the product then does not refuse these rows.
    """
    needed = """
        SELECT column_name FROM information_schema.columns
        WHERE table_name = %s AND is_nullable = 'NO' AND column_default IS NULL
            AND is_identity = 'NO'"""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(needed, [table])
        names = {name for (name,) in cursor.fetchall()}
        for field in model._meta.concrete_fields:
            if field.column in names and (default := field.get_default()) is not None:
                statement = f"ALTER TABLE {table} ALTER COLUMN {field.column} SET DEFAULT %s"
                cursor.execute(statement, [_text(default)])


def _line(defaults, row):
    told = {name: _text(row[name]) for name in defaults if name in row}
    return "\t".join((defaults | told).values()) + "\n"


def _text(value):
    """Returns a value in the text format of COPY; the texts need no escaping."""
    if value is None:
        return "\\N"
    return json.dumps(value) if isinstance(value, list | dict) else str(value)
