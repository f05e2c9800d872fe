"""SQL that Django has written once is kept; the next time only its values are filled in.

Django needs longer to write most of our SELECTs than PostgreSQL to answer them. Queries that differ
in nothing but the values they compare columns with have one text (`query_shapes`). What has no
place of its own for each value is written anew. In the tests each kept statement is compared with
one written anew.
"""

from contextlib import contextmanager
from contextvars import ContextVar
from copy import deepcopy
from functools import lru_cache
from typing import NamedTuple

from django.core.exceptions import EmptyResultSet, FullResultSet
from django.db.models import Count, QuerySet
from django.db.models.query import ModelIterable
from django.db.models.sql import Query
from django.db.models.sql.constants import SINGLE

from config.api.own_columns import OwnColumnsFirst
from config.api.query_shapes import Shape, UnknownPart, has_values, page_comes_last
from config.api.rows import maker

MOST = 200  # statements that are kept, of 20 to 130 kB each


class Place(NamedTuple):
    """Where, among the parameters of a statement, a value of one of its comparisons belongs."""

    comparison: int
    number: int


class Statement(NamedTuple):
    sql: str | None  # None for one that cannot be filled in
    params: tuple = ()
    texts: tuple = ()  # of the comparisons' right sides
    select: tuple = ()  # (column, None) or (None, name of an annotation), which has values
    found: dict = {}  # what else Django notes on a compiler as it writes
    converters: dict = {}  # of the columns, by their places in what is selected
    makers: dict = {}  # of records, by the database their rows are from

    def filled_in(self, compiler, comparisons):
        """(sql, params) for the values that these have; None where they read differently."""
        params = self.params_with(compiler, comparisons)
        if params is None:
            return None
        vars(compiler).update(self.found)
        annotations = compiler.query.annotations
        compiler.select = [(annotations.get(name, one), None, name) for one, name in self.select]
        compiler.kept = self
        return self.sql + _page(compiler), params

    def params_with(self, compiler, comparisons):
        """With the values that these have; None where they read differently."""
        if self.sql is None:
            return None
        sides = [one.process_rhs(compiler, compiler.connection) for one in comparisons]
        if any(text != side[0] for text, side in zip(self.texts, sides, strict=True)):
            return None
        return tuple(
            sides[one.comparison][1][one.number] if type(one) is Place else one
            for one in self.params
        )


def _page(compiler):
    query = compiler.query
    if not query.is_sliced or not page_comes_last(query):
        return ""
    return " " + compiler.connection.ops.limit_offset_sql(query.low_mark, query.high_mark)


_kept = {}
_places = ContextVar("places", default=None)  # of the comparisons in what is being written
FOUND = ["klass_info", "annotation_col_map", "col_count", "has_extra_select"]


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

    kept = None  # the statement that was filled in

    def get_converters(self, expressions):
        """Those of the columns are known; an annotation has its own each time."""
        if self.kept is not None and not self.query.annotation_select:
            return self.kept.converters
        expressions = list(expressions)
        if self.kept is None or len(expressions) != len(self.kept.select):
            return super().get_converters(expressions)
        annotations = [
            one if column is None else None
            for (column, _), one in zip(self.kept.select, expressions, strict=True)
        ]
        return self.kept.converters | super().get_converters(annotations)

    def as_sql(self, *args, **kwargs):
        is_plain = not (args or kwargs or self.locks_outside_a_transaction())
        if is_plain and _places.get() is None:
            try:
                if kept := self._kept():
                    return kept
            except (UnknownPart, EmptyResultSet, FullResultSet):
                pass  # Django says what it makes of it
        return super().as_sql(*args, **kwargs)

    def _kept(self):
        shape = Shape(self.query)
        comparisons = shape.comparisons
        key = self.connection.vendor, self.elide_empty, shape.key
        statement = _kept.get(key)
        if statement is None:
            statement = self.written(comparisons)
            if len(_kept) >= MOST:
                _kept.clear()
            _kept[key] = statement
        return statement.filled_in(self, comparisons)

    def written(self, comparisons):
        """The Statement of its query, with a Place for each value of the comparisons."""
        query = self.query.clone()  # which changes as it is written
        writer = query.get_compiler(connection=self.connection, elide_empty=self.elide_empty)
        with written_anew(comparisons):
            sql, params = writer.as_sql(with_limits=not page_comes_last(query))
        placed = {one.comparison for one in params if type(one) is Place}
        columns = [column for column, *_ in writer.select]
        if placed != set(range(len(comparisons))) or writer.has_composite_fields(columns):
            return Statement(None)
        texts = tuple(one.process_rhs(self, self.connection)[0] for one in comparisons)
        select = tuple(
            (None if name in query.annotations else one, name) for one, _, name in writer.select
        )
        found = {name: getattr(writer, name) for name in FOUND}
        converters = self.get_converters(column for column, _ in select)
        return Statement(sql, params, texts, select, found, converters, {})

    def has_composite_fields(self, expressions):
        return self.kept is None and super().has_composite_fields(expressions)

    def compile(self, node):
        sql, params = super().compile(node)
        if places := _places.get():
            if (number := places.get(id(node))) is not None:
                params = [Place(number, place) for place in range(len(params))]
            elif has_values(node):
                raise UnknownPart(node)  # a copy of a comparison, with its values
        return sql, params

    def maker(self, db):
        """What makes records of its rows, once it has been executed."""
        makers = {} if self.kept is None else self.kept.makers
        if db not in makers:
            makers[db] = maker(db, self.klass_info, self.select, self.annotation_col_map)
        return makers[db]

    def locks_outside_a_transaction(self):
        """Which Django refuses as it writes."""
        return self.query.select_for_update and self.connection.get_autocommit()


@lru_cache
def _keeping(compiler):
    return type(f"Keeping{compiler.__name__}", (KeepingCompiler, compiler), {})


class Relations(dict):
    """Which are selected, by their names: of a query that makes a new one where it changes."""

    def __deepcopy__(self, memo):
        return self


NUMBER = Count("*").resolve_expression(Query(None), summarize=True)


class KeptQuery(Query):
    def get_compiler(self, *args, **kwargs):
        compiler = super().get_compiler(*args, **kwargs)
        compiler.__class__ = _keeping(type(compiler))
        return compiler

    def add_select_related(self, fields):
        if isinstance(self.select_related, Relations):
            self.select_related = deepcopy(dict(self.select_related))
        super().add_select_related(fields)
        self.select_related = Relations(self.select_related)

    def get_count(self, using):
        """As Django's, which looks for what the number of mere rows does not depend on."""
        if not self._has_mere_rows():
            return super().get_count(using)
        rows = self.clone()
        rows.clear_ordering(force=True)
        rows.select_related = rows.select_for_update = rows.default_cols = False
        rows.annotations = {"__count": NUMBER}
        number = rows.get_compiler(using).execute_sql(SINGLE)
        return number[0] if number else 0

    def _has_mere_rows(self):
        """Whether they are its model's, each of them once, and all of them."""
        is_of_others = self.group_by is not None or self.distinct or self.combinator
        is_part = self.is_sliced or self.where.contains_over_clause
        has_columns = self.select or self.extra or self.annotation_select_mask is not None
        return not (is_of_others or is_part or has_columns) and not any(
            one.contains_aggregate or one.contains_over_clause or one.set_returning
            for one in self.annotations.values()
        )


class Records(ModelIterable):
    """Of rows, with a maker that is kept as their statement is."""

    def __iter__(self):
        queryset = self.queryset
        if queryset._known_related_objects:
            yield from super().__iter__()
            return
        compiler = queryset.query.get_compiler(using=queryset.db)
        rows = compiler.execute_sql(chunked_fetch=self.chunked_fetch, chunk_size=self.chunk_size)
        yield from compiler.maker(queryset.db)(compiler.results_iter(rows))


class KeptQuerySet(OwnColumnsFirst, QuerySet):
    def __init__(self, model=None, query=None, using=None, hints=None):
        super().__init__(model, query or KeptQuery(model), using, hints)
        self._iterable_class = Records
