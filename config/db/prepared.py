"""Querysets whose SQL is generated once and then run with new values.

Generating SQL takes Django longer than PostgreSQL takes to run most of our queries. A
`PreparedQuery` generates the text of an ordinary queryset once per key and runs the text through a
cursor afterwards. On other databases, and with the setting FAST_READS off, the queryset itself
runs.

`connection.execute_wrapper` may raise instead of executing, so two queries with example values
hand over their text and their parameters. A value's place among the parameters is where the
examples differ.
"""

import logging
from collections.abc import Callable, Collection, Hashable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, NoReturn
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Model, QuerySet

logger = logging.getLogger(__name__)

MAX_STATEMENTS = 200  # that one query keeps

# The nth example of a type. No other parameter of a query has such a value.
EXAMPLES = {
    int: lambda n: 2**62 + n,
    str: lambda n: f"example value {n}",
    date: lambda n: date(1850, 1, 1) + timedelta(days=n),
    datetime: lambda n: datetime(1850, 1, 1, tzinfo=UTC) + timedelta(minutes=n),
    UUID: lambda n: UUID(int=2**127 + n),
}

# The example of a page, whose numbers Django writes into the text.
LIMIT, OFFSET = 987_654, 987_654_321
PAGE = f" LIMIT {LIMIT} OFFSET {OFFSET}"


class Statement(NamedTuple):
    """SQL text, its parameters, and which parameter takes the place of which value."""

    sql: str
    params: tuple
    places: tuple  # (index of the parameter, index of the value)

    def bind(self, values: Sequence) -> list:
        params = list(self.params)
        for place, number in self.places:
            params[place] = values[number]
        return params


class PreparedQuery:
    """The rows of `build(*values)`, or of `build(key, *values)`: an unsliced queryset.

    The key holds whatever changes the text of the query, such as a role or the names of filters.
    The values are compared with columns and change nothing else; their types are those of
    EXAMPLES. `build` is a function of its arguments alone.

    With `columns`, named as for `values_list`, a row is a tuple. With `record`, a row is an
    instance, which `record` makes of the fields that the queryset selects.
    """

    def __init__(
        self,
        build: Callable[..., QuerySet],
        *,
        columns: Sequence[str] = (),
        record: Callable[[tuple], Model] | None = None,
    ) -> None:
        self.build, self.columns, self.record = build, columns, record
        self.statement = lru_cache(MAX_STATEMENTS)(self._prepare)

    def rows(self, *values: object, key: Hashable = None) -> list:
        statement = self._statement(_all, key, values)
        if statement is None:
            return _all(self.select(self.queryset(*values, key=key)))
        return self._made(_execute(statement.sql, statement.bind(values)))

    def page(self, *values: object, key: Hashable = None, limit: int, offset: int = 0) -> list:
        """Return at most `limit` rows after the first `offset`."""
        statement = self._statement(_example_page, key, values)
        if statement is None:
            return _all(self.select(self.queryset(*values, key=key))[offset : offset + limit])
        sql = f"{statement.sql} LIMIT %s OFFSET %s"
        return self._made(_execute(sql, [*statement.bind(values), limit, offset]))

    def queryset(self, *values: object, key: Hashable = None) -> QuerySet:
        """Return the queryset, to which `select` adds the columns."""
        return self.build(*values) if key is None else self.build(key, *values)

    def select(self, rows: QuerySet) -> QuerySet:
        return rows.values_list(*self.columns) if self.columns else rows

    def count(self, *values: object, key: Hashable = None) -> int:
        statement = self._statement(_count, key, values)
        if statement is None:
            return _count(self.queryset(*values, key=key))
        return _execute(statement.sql, statement.bind(values))[0][0]

    def _made(self, rows: list) -> list:
        return [self.record(row) for row in rows] if self.record else rows

    def _statement(
        self, run: Callable[[QuerySet], object], key: Hashable, values: tuple
    ) -> Statement | None:
        """Return the statement to run, or None if the queryset itself is to run."""
        if not settings.FAST_READS or connection.vendor != "postgresql":
            return None
        return self.statement(run, key, tuple(map(type, values)))

    def _prepare(
        self, run: Callable[[QuerySet], object], key: Hashable, types: tuple[type, ...]
    ) -> Statement | None:
        """Return None for a query whose text depends on the values, or for an unknown type."""
        if not EXAMPLES.keys() >= set(types):
            logger.warning("A query of %s has values of other types.", self.build.__qualname__)
            return None
        examples = [
            [EXAMPLES[kind](first + n) for n, kind in enumerate(types)] for first in (0, len(types))
        ]
        texts = [self.generate(run, key, values) for values in examples]
        if any(sql is None for sql, _ in texts):
            return None  # the queryset selects nothing
        statement = _merge(texts[0], texts[1], examples[0], examples[1])
        if statement is None:
            logger.warning("A query of %s cannot be prepared.", self.build.__qualname__)
        return statement

    def generate(
        self, run: Callable[[QuerySet], object], key: Hashable, values: Sequence
    ) -> tuple[str | None, tuple]:
        """Return the text and the parameters that Django would execute, and execute nothing."""
        rows = self.queryset(*values, key=key)
        try:
            with connection.execute_wrapper(_hand_over):
                run(rows if run is _count else self.select(rows))
        except _Generated as generated:
            sql, params = generated.args
            return sql.removesuffix(PAGE), params
        return None, ()


def record_of(
    model: type[Model],
    fields: Collection[str] | None = None,
    **related: tuple[type[Model], Collection[str] | None],
) -> Callable[[tuple], Any]:
    """Return a function that makes an instance of a row.

    The row has the columns of `fields`, all of the model's unless given, and then those of each
    selected relation. `related` maps the name of a relation to (model, fields). Columns follow the
    order in which the models declare them, as Django selects them.
    """
    parts, start = [], 0
    for name, (other, selected) in {"": (model, fields), **related}.items():
        names = [field.attname for field in other._meta.concrete_fields]
        names = [attname for attname in names if selected is None or attname in selected]
        parts.append((name, other, names, slice(start, start + len(names))))
        start += len(names)
    (_, _, own, columns), *others = parts

    def record(row: tuple) -> Model:
        instance = model.from_db(connection.alias, own, row[columns])
        for name, other, names, place in others:
            setattr(instance, name, other.from_db(connection.alias, names, row[place]))
        return instance

    return record


def _all(rows: QuerySet) -> list:
    return list(rows)


def _example_page(rows: QuerySet) -> list:
    return list(rows[OFFSET : OFFSET + LIMIT])


def _count(rows: QuerySet) -> int:
    return rows.count()


def _execute(sql: str, params: Sequence) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


class _Generated(Exception):  # noqa: N818
    """Carries a statement out of Django instead of executing the statement."""


def _hand_over(
    execute: Callable, sql: str, params: Sequence, many: bool, context: dict[str, Any]
) -> NoReturn:
    raise _Generated(sql, params)


def _merge(one: tuple, other: tuple, values: list, other_values: list) -> Statement | None:
    """Return the statement of two examples; None if more than the values differs.

    A value without a place does not affect the query.
    """
    (sql, params), (other_sql, other_params) = one, other
    if sql != other_sql or len(params) != len(other_params):
        return None
    places = []
    for place, pair in enumerate(zip(params, other_params, strict=True)):
        number = _number_of(pair, values, other_values)
        if number is not None:
            places.append((place, number))
        elif pair[0] != pair[1]:
            return None
    return Statement(sql, tuple(params), tuple(places))


def _number_of(pair: tuple, values: list, other_values: list) -> int | None:
    """Return which value a pair of parameters is; None for a parameter that is no value."""
    for number, examples in enumerate(zip(values, other_values, strict=True)):
        if all(type(a) is type(b) and a == b for a, b in zip(pair, examples, strict=True)):
            return number
    return None
