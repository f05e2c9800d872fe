"""Which queries Django writes as the same SQL, but for the values they compare columns with.

A `Shape` is all that Django holds about a query but these values, and which page is cut out of its
rows. A part that it does not know for certain is no part of any.
"""

from datetime import date
from functools import cache, singledispatch
from uuid import UUID

from django.db.models import Field
from django.db.models.expressions import BaseExpression, Col, Value
from django.db.models.fields.related_lookups import RelatedExact, RelatedIn
from django.db.models.functions.datetime import TimezoneMixin
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

LONGEST = 100  # list that is looked for

# A column beside one value, or beside a list of them.
COMPARISONS = {
    *(Exact, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual, IntegerFieldExact),
    RelatedExact,
}
LISTS = {In, RelatedIn}
VALUES = (int, str, date, UUID)  # a datetime is a date

# What Django notes on a query or an expression and can find out again.
DERIVED = {
    "_annotation_select_cache",
    "_constructor_args",
    "_extra_select_cache",
    "base_table",
    "contains_aggregate",
    "contains_over_clause",
    "convert_value",
    "identity",
    "table_map",
}
DERIVED_OR_PAGE = DERIVED | {"low_mark", "high_mark"}
UNUSUAL = {"_filtered_relations", "combined_queries", "explain_info", "extra"}

# Of which nothing but the kind need be said where they are.
MAY_BE_EMPTY = {bool, int, dict, list, tuple, set, frozenset}


class UnknownPart(Exception):  # noqa: N818
    """A query has something of which a Shape does not know what it does to the text."""


class Shape:
    """What the text of a query depends on (`key`), and the lookups of which it does not know the
    value (`comparisons`).
    """

    def __init__(self, query):
        self.comparisons = []
        self.numbers = {}  # by the ids of the comparisons
        self.whole = query
        self.key = self.of(query)

    def of(self, part):
        kind = type(part)
        if kind is str or part is None:
            return part
        if kind in MAY_BE_EMPTY and not part:
            return kind
        return kind, _how_to_show(kind)(part, self)

    def all(self, parts):
        return tuple(map(self.of, parts))

    def number(self, lookup):
        """Of a comparison; it has the same again where the query has it twice."""
        number = self.numbers.setdefault(id(lookup), len(self.comparisons))
        if number == len(self.comparisons):
            self.comparisons.append(lookup)
        return number

    def state(self, part, but=DERIVED):
        own = vars(part).copy()  # to which another thread may add what it found out
        return tuple([(name, self.of(one)) for name, one in own.items() if name not in but])


@singledispatch
def shown(part, shape):
    """All of a part that the text depends on."""
    raise UnknownPart(part)


@shown.register(str)
@shown.register(int)
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
    return frozenset(parts)


@shown.register(dict)
def _by_name(parts, shape):
    return tuple(parts), shape.all(parts.values())


@shown.register(Field)
def _field(field, shape):
    return field if hasattr(field, "model") else shape.all(field.deconstruct()[1:])


@shown.register(BaseExpression)
@shown.register(BaseTable)
def _state(part, shape):
    return shape.state(part)


@shown.register(Join)
def _joined(join, shape):
    if join.filtered_relation is not None:
        raise UnknownPart(join)
    return join.identity, join.table_alias, join.join_type, join.nullable


@shown.register(Col)
def _column(column, shape):
    is_plain = column.output_field is column.target
    return column.alias, column.target, None if is_plain else shape.of(column.output_field)


@shown.register(WhereNode)
def _conditions(node, shape):
    return node.connector, node.negated, node.resolved, shape.all(node.children)


@shown.register(NothingNode)
def _nothing(node, shape):
    return None


@shown.register(Value)
def _literal(literal, shape):
    if isinstance(literal.value, str):
        raise UnknownPart(literal)  # perhaps what somebody typed, which is kept nowhere
    return shape.state(literal)


@shown.register(TimezoneMixin)
def _in_the_time_zone_in_force(part, shape):
    raise UnknownPart(part)


@shown.register(Lookup)
def _lookup(lookup, shape):
    if type(lookup.lhs) is Col and not lookup.bilateral_transforms:
        if type(lookup) in COMPARISONS and _is_value(lookup.rhs):
            return shape.number(lookup), shape.of(lookup.lhs)
        if type(lookup) in LISTS and _are_values(lookup.rhs):
            return shape.number(lookup), shape.of(lookup.lhs), len(set(lookup.rhs))
    if has_values(lookup):
        raise UnknownPart(lookup)
    return shape.state(lookup)


@shown.register(Query)
def _query(query, shape):
    if query.group_by is not None or any(vars(query).get(name) for name in UNUSUAL):
        raise UnknownPart(query)
    if query is not shape.whole and query.select_for_update:
        raise UnknownPart(query)  # some of these locks Django refuses
    if query.annotations and not all(isinstance(name, str) for name in query.order_by):
        raise UnknownPart(query)  # an order that may be what is selected, for one value only
    tables = tuple(query.table_map)  # the aliases in it clones share, and add to
    if query is shape.whole and page_comes_last(query):
        return query.is_sliced, tables, shape.state(query, but=DERIVED_OR_PAGE)
    return tables, shape.state(query)


_how_to_show = cache(shown.dispatch)


def page_comes_last(query):
    """In the text, so that the statement is kept without it."""
    return not (query.subquery or query.select_for_update)


def has_values(node):
    is_lookup = isinstance(node, Lookup) and node.rhs_is_direct_value()
    return is_lookup and not isinstance(node.rhs, bool)


def _is_value(rhs):
    return isinstance(rhs, VALUES) and not isinstance(rhs, bool)


def _are_values(rhs):
    return isinstance(rhs, list) and len(rhs) <= LONGEST and all(map(_is_value, rhs))
