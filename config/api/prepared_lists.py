"""Lists whose rows come from a prepared query."""

from functools import cache
from typing import NamedTuple

from django import forms

from config.api.cursor_pagination import order_keys, rows_beyond
from config.api.filters import cleaned_filters, list_parameters, ordering_names, prepare_filters
from config.db.prepared import PreparedQuery

ORDER_KEYS: dict = {}  # the default order of each query, which no filter changes


class ListKey(NamedTuple):
    """The parts of a request that the text of a list's query depends on."""

    role: str
    filters: tuple  # see config.api.filters.prepare_filters
    ordering: tuple  # public names, with their signs
    scope: tuple  # whatever else the list names


class PreparedRows:
    """The rows of a list, for a paginator: counts and pages run prepared statements.

    A row is an instance of `row_class`, a named tuple of the query's columns.
    """

    def __init__(self, query, row_class, key, values):
        self.query, self.row_class, self.key, self.values = query, row_class, key, values

    def count(self):
        return self.query.count(*self.values, key=self.key)

    def __getitem__(self, page):
        size = page.stop - page.start
        return self._named(
            self.query.page(*self.values, key=self.key, limit=size, offset=page.start)
        )

    @property
    def keys(self):
        """The fields of the list's default order. See config.api.cursor_pagination."""
        if self.query not in ORDER_KEYS:
            ORDER_KEYS[self.query] = order_keys(self.queryset)
        return ORDER_KEYS[self.query]

    def beyond(self, position, backwards, size):
        """Return at most `size` rows. See config.api.cursor_pagination.QuerysetRows."""
        key = BeyondKey(self.key, len(position), backwards)
        query = beyond_query(self.query)
        return self._named(query.page(*position, *self.values, key=key, limit=size))

    @property
    def queryset(self):
        """The same rows as an ordinary queryset."""
        return self.query.queryset(*self.values, key=self.key)

    def fetch(self, rows):
        """Return the rows of a queryset that was made of `queryset`."""
        return self._named(self.query.select(rows))

    def _named(self, rows):
        return [self.row_class._make(row) for row in rows]


class BeyondKey(NamedTuple):
    """The parts that the text of a cursor page's query depends on."""

    list_key: ListKey
    position_size: int  # the number of values that describe the position
    backwards: bool


@cache
def beyond_query(query):
    """Return the prepared query of the rows of a list's query beyond a position."""

    def rows(key, *values):
        position, own = values[: key.position_size], values[key.position_size :]
        listed = query.queryset(*own, key=key.list_key)
        return rows_beyond(listed, order_keys(listed), position, key.backwards)

    return PreparedQuery(rows, columns=query.columns)


class PreparedListMixin:
    """Answers `list` from a prepared query; `?search=` takes DRF's way.

    The query's `build` is called with a ListKey, the values of `list_scope()` and the arguments of
    the filters. `row_output()` returns the function that makes the JSON object of a row.
    """

    list_query: PreparedQuery | None = None
    row_class: type | None = None  # a named tuple of the query's columns

    def list(self, request, *args, **kwargs):
        rows = self.prepared_rows(request)
        if rows is None:
            return super().list(request, *args, **kwargs)
        self.rows = self.paginate_queryset(rows)
        output = self.row_output()
        return self.get_paginated_response([output(row) for row in self.rows])

    def prepared_rows(self, request):
        """Return the rows of the list, or None if DRF has to find the rows."""
        params = list_parameters(request)
        if params.get("search"):
            return None
        filters, arguments = (), []
        if self.filter_backends and getattr(self, "filterset_class", None):
            try:
                cleaned = cleaned_filters(self.filterset_class, params)
            except forms.ValidationError:
                return None  # DRF's way reports every error
            filters, arguments = prepare_filters(self.filterset_class, cleaned)
        ordering = ordering_names(request, self) if self.filter_backends else ()
        scope, values = self.list_scope()
        key = ListKey(request.user.role, filters, ordering, scope)
        return PreparedRows(self.list_query, self.row_class, key, [*values, *arguments])

    def list_scope(self):
        """Return (scope, values): what else the query depends on."""
        return (), [self.request.user.pk]
