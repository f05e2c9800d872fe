"""Queries that are built and written once, for what is asked with every request."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models.query import FlatValuesListIterable

from config.api.query_shapes import Shape
from config.api.rows import maker
from config.api.statements import Records, Statement

EXAMPLES = {  # kind of value: the nth of its examples, none of which is anything else in a query
    int: lambda number: 2**62 + number,
    UUID: lambda number: UUID(int=2**127 + number),
    datetime: lambda number: datetime(1900, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
}


class CompiledQuery:
    """The rows of `build(*values)`, a queryset that compares its own columns with these values.

    Of each value the kind is told. The values must change nothing else of the queryset.
    """

    def __init__(self, build, *kinds):
        self.build, self.kinds = build, kinds
        self.compiled = {}  # by the kind of database

    def __call__(self, *values):
        """A list; TypeError for values that are not of the kinds told."""
        if len(values) != len(self.kinds) or not all(map(isinstance, values, self.kinds)):
            raise TypeError(f"{self.kinds} are compared, and {values} were given.")
        rows, _ = self._built[0]
        connection = connections[rows.db]
        compiler = rows.query.get_compiler(connection=connection)
        if compiler.locks_outside_a_transaction():
            return list(self.build(*values))  # which Django refuses
        compiled = self.compiled.get(connection.vendor)
        if compiled is None:
            compiled = self.compiled[connection.vendor] = self._compiled_for(connection)
        try:
            return compiled.rows_for(values, compiler)
        except EmptyResultSet:  # for a number that no column holds
            return []

    @cached_property
    def _built(self):
        """Two querysets, each with its values; they have none in common."""
        number = len(self.kinds)
        examples = [
            [EXAMPLES[kind](first + place) for place, kind in enumerate(self.kinds)]
            for first in (0, number)
        ]
        return [(self.build(*values), values) for values in examples]

    def _compiled_for(self, connection):
        one, other = (_compile(*built, connection) for built in self._built)
        if not one.says_the_same_as(other):
            raise TypeError("More depends on the values than which rows are compared with them.")
        return one


class Compiled(NamedTuple):
    """A statement, and what its rows become."""

    statement: Statement
    comparisons: list
    values: list  # the number of the value each is made with; None for one that stays as it is
    made: Callable  # of the rows

    def says_the_same_as(self, other):
        text, params, *_ = self.statement
        return (text, params, self.values) == (*other.statement[:2], other.values)

    def rows_for(self, values, compiler):
        with compiler.connection.cursor() as cursor:
            cursor.execute(*self.filled_in(compiler, values))
            found = cursor.fetchall()
        if self.statement.converters:
            found = compiler.apply_converters(found, self.statement.converters)
        return list(self.made(found))

    def filled_in(self, compiler, values):
        """(sql, params) with these values."""
        comparisons = [
            one if number is None else type(one)(one.lhs, values[number])
            for one, number in zip(self.comparisons, self.values, strict=True)
        ]
        return self.statement.sql, self.statement.params_with(compiler, comparisons)


def _compile(rows, values, connection):
    if rows.query.is_sliced or rows._prefetch_related_lookups or rows._known_related_objects:
        raise TypeError("Compiled are queries for all rows there are, and for nothing beside them.")
    comparisons = Shape(rows.query).comparisons
    statement = rows.query.get_compiler(connection=connection).written(comparisons)
    numbers = [values.index(one.rhs) if one.rhs in values else None for one in comparisons]
    if statement.sql is None or {*numbers} - {None} != {*range(len(values))}:
        raise TypeError("The rows are not compared with each of the values.")
    return Compiled(statement, comparisons, numbers, _made(rows, statement))


def _made(rows, statement):
    """What makes of the rows what Django would: records, or values."""
    found = statement.found
    if rows._iterable_class is FlatValuesListIterable:
        return partial(map, itemgetter(0))
    if rows._iterable_class is not Records or found["annotation_col_map"]:
        raise TypeError("Compiled are queries for records, or for one column of theirs.")
    return maker(rows.db, found["klass_info"], statement.select, None)
