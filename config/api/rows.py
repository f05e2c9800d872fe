"""Rows become records, and records rows, without what Django looks for meanwhile."""

from functools import lru_cache
from typing import NamedTuple

from django.db import connections
from django.db.models.base import ModelState
from django.db.models.sql import InsertQuery


class FromRow:
    """A model whose records are filled from a row directly.

    Django would call `__init__` for each, which sets attribute by attribute and sends two signals
    that nobody here listens to. Put before the other bases.
    """

    @classmethod
    def from_db(cls, db, field_names, values):
        record, state = cls.__new__(cls), ModelState()
        state.adding, state.db = False, db
        record.__dict__["_state"] = state
        record.__dict__.update(zip(field_names, values, strict=True))
        return record


class IntoRow:
    """A model whose INSERT is written once. Put before the other bases."""

    def _do_insert(self, manager, using, fields, returning_fields, raw):
        insert = _insert_of(manager.model, using, tuple(fields), tuple(returning_fields))
        if insert is None or any(_is_worked_out(getattr(self, one.attname)) for one in fields):
            return super()._do_insert(manager, using, fields, returning_fields, raw)
        values = [
            getattr(self, one.attname) if raw else one.pre_save(self, add=True) for one in fields
        ]
        connection = connections[using]
        values = [
            one.get_db_prep_save(value, connection=connection)
            for one, value in zip(fields, values, strict=True)
        ]
        with connection.cursor() as cursor:
            cursor.execute(insert.text, (*values, *insert.returned))
            if not returning_fields:
                return []
            return [connection.ops.fetch_returned_insert_columns(cursor, insert.returned)]


def _is_worked_out(value):
    return hasattr(value, "resolve_expression") or hasattr(value, "as_sql")


class Insert(NamedTuple):
    text: str
    returned: tuple  # parameters for what comes back, where a database wants any


@lru_cache(maxsize=100)
def _insert_of(model, using, fields, returned):
    """None where more than plain values goes in, or what comes back is not as it is in the row."""
    connection = connections[using]
    query = InsertQuery(model)
    query.insert_values(fields, [model()])
    compiler = query.get_compiler(connection=connection)
    compiler.returning_fields, compiler.returning_params = returned, ()
    [(text, values)] = compiler.as_sql()
    is_plain = not any(hasattr(one, "get_placeholder") for one in fields)
    is_plain = is_plain and len(values) == len(fields) + len(compiler.returning_params)
    columns = [one.get_col(model._meta.db_table) for one in returned]
    comes_back = connection.features.can_return_columns_from_insert
    comes_back = comes_back and not compiler.get_converters(columns)
    return Insert(text, compiler.returning_params) if is_plain and comes_back else None
