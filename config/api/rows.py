"""Rows become records, and records rows, without what Django looks for meanwhile."""

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from django.db import connections
from django.db.models.base import ModelState
from django.db.models.query import get_related_populators
from django.db.models.sql import InsertQuery


class FromRow:
    """A model whose records are filled from a row directly.

    Django would call `__init__` for each, which sets attribute by attribute and sends two signals
    that nobody here listens to. Put before the other bases.
    """

    @classmethod
    def from_db(cls, db, field_names, values):
        record, state = cls.__new__(cls), ModelState()
        state.adding, state.db, state.fields_cache = False, db, {}
        record.__dict__["_state"] = state
        record.__dict__.update(zip(field_names, values, strict=True))
        return record


class Joined(NamedTuple):
    """What a record has a key to: the key's name, and where in a row that other record is."""

    name: str
    made: Callable
    names: list  # of its columns
    columns: slice
    pk: int


def maker(db, info, select, annotations):
    """The function that makes records of rows, as Django's ModelIterable does for each query.

    It is made of what a compiler has found out, once for a statement. Rows that follow each other
    and have a key to the same record share it.
    """
    first, *_, last = info["select_fields"]
    columns = slice(first, last + 1)
    names = [column.target.attname for column, *_ in select[columns]]
    made = info["model"].from_db
    joined, others = _related(db, info, select)
    annotations = [*(annotations or {}).items()]

    def records(rows):
        latest = dict.fromkeys((one.name for one in joined), (None, None))
        for row in rows:
            record = made(db, names, row[columns])
            related = record._state.fields_cache
            for one in joined:
                pk, other = latest[one.name]
                if pk != row[one.pk]:
                    pk = row[one.pk]
                    other = None if pk is None else one.made(db, one.names, row[one.columns])
                    latest[one.name] = pk, other
                related[one.name] = other
            for populator in others:
                populator.populate(row, record)
            for name, place in annotations:
                setattr(record, name, row[place])
            yield record

    return records


def _related(db, info, select):
    """What is joined by a key and is joined to nothing itself; what is left to Django."""
    joined, others = [], []
    populators = get_related_populators(info, select, db)
    for one, its in zip(info.get("related_klass_infos", ()), populators, strict=True):
        if one["reverse"] or one["field"].unique or its.related_populators:
            others.append(its)
            continue
        columns, pk = slice(its.cols_start, its.cols_end), its.cols_start + its.pk_idx
        name = one["field"].cache_name
        joined.append(Joined(name, its.model_cls.from_db, its.init_list, columns, pk))
    return joined, others


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
