"""SQL that Django has written once is kept; the next time only its values are filled in.

Django needs longer to write most of our SELECTs than PostgreSQL to answer them. Queries that differ
in nothing but the values they compare columns with have one text: a `Shape` is all of a query but
these values. Whatever it does not know for certain is written anew, and so is what has no place of
its own for each value. In the tests each kept statement is compared with one written anew.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache, singledispatch
from types import NoneType
from typing import NamedTuple
from uuid import UUID

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db.models import Field, QuerySet
from django.db.models.expressions import BaseExpression, Col, Value
from django.db.models.fields import related_lookups as related
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IntegerFieldExact,
    LessThan,
    LessThanOrEqual,
    Lookup,
)
from django.db.models.sql import Query
from django.db.models.sql.datastructures import BaseTable, Join
from django.db.models.sql.where import NothingNode, WhereNode

MOST = 200  # statements that are kept, of up to 60 kB; a clinic asks some 80

# A column beside one value, or beside a list of them.
COMPARISONS = {
    *(Exact, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual, IntegerFieldExact),
    *(related.RelatedExact, related.RelatedGreaterThan, related.RelatedLessThan),
}
LISTS = {In, related.RelatedIn}
VALUES = (int, str, Decimal, date, time, UUID)  # a datetime is a date

# What Django notes on a query or an expression and can find out again.
DERIVED = {
    "_annotation_select_cache",
    "_constructor_args",
    "_extra_select_cache",
    "_output_field_or_none",
    "allowed_default",
    "base_table",
    "constraint_validation_compatible",
    "contains_aggregate",
    "contains_column_references",
    "contains_over_clause",
    "contains_subquery",
    "convert_value",
    "identity",
}
UNUSUAL = {"_filtered_relations", "combined_queries", "explain_info", "extra", "group_by"}


class UnknownPart(Exception):  # noqa: N818
    """A query has something of which a Shape does not know what it does to the text."""


class Shape:
    """What the text of a query depends on (`key`), and the lookups of which it does not know the
    value (`comparisons`).
    """

    def __init__(self, query):
        self.comparisons = {}  # by their ids
        self.key = self.of(query)

    def of(self, part):
        return type(part), shown(part, self)

    def all(self, parts):
        return tuple(map(self.of, parts))

    def state(self, part):
        return tuple(
            (name, self.of(one)) for name, one in vars(part).items() if name not in DERIVED
        )


@singledispatch
def shown(part, shape):
    """All of a part that the text depends on."""
    raise UnknownPart(part)


@shown.register(str)
@shown.register(int)
@shown.register(float)
@shown.register(timedelta)
@shown.register(NoneType)
@shown.register(type)
def _itself(part, shape):
    return part


@shown.register(list)
@shown.register(tuple)
def _in_order(parts, shape):
    return shape.all(parts)


@shown.register(set)
@shown.register(frozenset)
def _in_any_order(parts, shape):
    return frozenset(map(shape.of, parts))


@shown.register(dict)
def _by_name(parts, shape):
    return shape.all(parts), shape.all(parts.values())


@shown.register(Field)
def _field(field, shape):
    return field if hasattr(field, "model") else shape.all(field.deconstruct()[1:])


@shown.register(BaseExpression)
@shown.register(Join)
@shown.register(BaseTable)
def _state(part, shape):
    return shape.state(part)


@shown.register(Col)
def _column(column, shape):
    is_plain = column.output_field is column.target
    return column.alias, column.target, None if is_plain else shape.of(column.output_field)


@shown.register(WhereNode)
def _conditions(node, shape):
    return node.connector, node.negated, shape.all(node.children)


@shown.register(NothingNode)
def _nothing(node, shape):
    return None


@shown.register(Value)
def _literal(literal, shape):
    if isinstance(literal.value, str):
        raise UnknownPart(literal)  # perhaps what somebody typed, which is kept nowhere
    return shape.state(literal)


@shown.register(Lookup)
def _lookup(lookup, shape):
    if type(lookup.lhs) is Col and not lookup.bilateral_transforms:
        if type(lookup) in COMPARISONS and _is_value(lookup.rhs):
            shape.comparisons[id(lookup)] = lookup
            return shape.of(lookup.lhs)
        if type(lookup) in LISTS and _are_values(lookup.rhs):
            shape.comparisons[id(lookup)] = lookup
            return shape.of(lookup.lhs), len(lookup.rhs)
    if lookup.rhs_is_direct_value() and not isinstance(lookup.rhs, bool):
        raise UnknownPart(lookup)
    return shape.state(lookup)


@shown.register(Query)
def _query(query, shape):
    if query.low_mark or any(vars(query).get(name) for name in UNUSUAL):
        raise UnknownPart(query)  # a later page of a list has a text of its own
    if query.annotations and not all(isinstance(name, str) for name in query.order_by):
        raise UnknownPart(query)  # an order that may be what is selected, for one value only
    return shape.state(query)


def _is_value(rhs):
    return isinstance(rhs, VALUES) and not isinstance(rhs, bool)


def _are_values(rhs):
    return isinstance(rhs, (list, tuple, set, frozenset)) and all(map(_is_value, rhs))


class Place(NamedTuple):
    """Where, among the parameters of a statement, a value of one of its comparisons belongs."""

    comparison: int
    number: int


class Statement(NamedTuple):
    sql: str | None  # None for one that cannot be filled in
    params: tuple = ()
    texts: tuple = ()  # of the comparisons' right sides
    found: dict = {}  # what else Django notes on a compiler as it writes

    def filled_in(self, compiler, comparisons):
        """(sql, params) for the values that these have; None where they read differently."""
        if self.sql is None:
            return None
        sides = [one.process_rhs(compiler, compiler.connection) for one in comparisons]
        if any(text != side[0] for text, side in zip(self.texts, sides, strict=True)):
            return None
        vars(compiler).update(self.found)
        params = (
            sides[one.comparison][1][one.number] if type(one) is Place else one
            for one in self.params
        )
        return self.sql, tuple(params)


_kept = {}
_places = ContextVar("places", default=None)  # of the comparisons in what is being written
FOUND = ["select", "klass_info", "annotation_col_map", "col_count", "has_extra_select"]


@contextmanager
def written_anew(comparisons=()):
    """Keep nothing within; of these lookups write places instead of their values."""
    token = _places.set({id(one): number for number, one in enumerate(comparisons)})
    try:
        yield
    finally:
        _places.reset(token)


class KeepingCompiler:
    """Put before a database's own compiler of SELECTs."""

    def as_sql(self, *args, **kwargs):
        is_plain = not (args or kwargs or self._locks_outside_a_transaction())
        if is_plain and _places.get() is None:
            try:
                if kept := self._kept():
                    return kept
            except (UnknownPart, EmptyResultSet, FullResultSet):
                pass  # Django says what it makes of it
        return super().as_sql(*args, **kwargs)

    def _kept(self):
        shape = Shape(self.query)
        comparisons = list(shape.comparisons.values())
        key = self.connection.vendor, self.elide_empty, shape.key
        statement = _kept.get(key)
        if statement is None:
            statement = self._written(comparisons)
            if len(_kept) >= MOST:
                _kept.clear()
            _kept[key] = statement
        return statement.filled_in(self, comparisons)

    def _written(self, comparisons):
        with written_anew(comparisons):
            sql, params = super().as_sql()
        if {one.comparison for one in params if type(one) is Place} != set(range(len(comparisons))):
            return Statement(None)
        texts = tuple(one.process_rhs(self, self.connection)[0] for one in comparisons)
        return Statement(sql, params, texts, {name: getattr(self, name) for name in FOUND})

    def compile(self, node):
        sql, params = super().compile(node)
        number = (_places.get() or {}).get(id(node))
        if number is not None:
            params = [Place(number, place) for place in range(len(params))]
        return sql, params

    def _locks_outside_a_transaction(self):
        """Which Django refuses as it writes."""
        return self.query.select_for_update and self.connection.get_autocommit()


@lru_cache
def _keeping(compiler):
    return type(f"Keeping{compiler.__name__}", (KeepingCompiler, compiler), {})


class KeptQuery(Query):
    def get_compiler(self, *args, **kwargs):
        compiler = super().get_compiler(*args, **kwargs)
        compiler.__class__ = _keeping(type(compiler))
        return compiler


class KeptQuerySet(QuerySet):
    def __init__(self, model=None, query=None, using=None, hints=None):
        super().__init__(model, query or KeptQuery(model), using, hints)
