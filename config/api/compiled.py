"""Queries that are built once, for what is asked with every request."""

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import NamedTuple
from uuid import UUID

from config.api.query_shapes import KnownShape, Shape

EXAMPLES = {  # kind of value: the nth of its examples, none of which is anything else in a query
    int: lambda number: 2**62 + number,
    UUID: lambda number: UUID(int=2**127 + number),
    datetime: lambda number: datetime(1900, 1, 1, tzinfo=UTC) + timedelta(minutes=number),
}


class Place(NamedTuple):
    comparison: object  # as it was built
    value: int | None  # which of the values it is made with; None for one that stays as it is
    path: tuple = ()  # to it among the conditions: children of children


class CompiledQuery:
    """The rows of `build(*values)`, a queryset that compares its own columns with these values.

    Of each value the kind is told. The values must change nothing else of the queryset.
    """

    def __init__(self, build, *kinds):
        self.build, self.kinds = build, kinds

    def __call__(self, *values):
        """A list."""
        if len(values) != len(self.kinds):
            raise TypeError(f"{len(self.kinds)} values are compared, and {len(values)} were given.")
        rows, places, key = self._built
        rows = rows._chain()
        comparisons = [_compared(one, values, rows.query.where) for one in places]
        rows.query.shape = KnownShape(key, comparisons)
        return list(rows)

    @cached_property
    def _built(self):
        """(the queryset, the Places of the comparisons of its Shape, the Shape's key)."""
        examples = [EXAMPLES[kind](number) for number, kind in enumerate(self.kinds)]
        rows = self.build(*examples)
        shape = Shape(rows.query)
        paths = {id(one): path for path, one in _leaves(rows.query.where)}
        places = []
        for one in shape.comparisons:
            if one.rhs not in examples:
                places.append(Place(one, None))
            elif id(one) in paths:
                places.append(Place(one, examples.index(one.rhs), paths[id(one)]))
            else:
                raise TypeError(f"{one} does not stand among the conditions on the rows.")
        if {one.value for one in places} - {None} != set(range(len(examples))):
            raise TypeError("The rows are not compared with each of the values.")
        return rows, places, shape.key


def _leaves(node, path=()):
    for number, child in enumerate(node.children):
        here = (*path, number)
        if hasattr(child, "children"):
            yield from _leaves(child, here)
        else:
            yield here, child


def _compared(place, values, node):
    """The comparison with its value, put into its place below the node."""
    built = place.comparison
    if place.value is None:
        return built
    *nodes, last = place.path
    for number in nodes:
        node = node.children[number]
    node.children[last] = comparison = type(built)(built.lhs, values[place.value])
    return comparison
