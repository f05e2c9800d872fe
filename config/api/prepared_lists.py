"""Lists whose rows come from a prepared query."""

from typing import NamedTuple

from django import forms

from config.api.filters import cleaned_filters, ordering_names, prepare_filters
from config.db.prepared import PreparedQuery


class ListKey(NamedTuple):
    """The parts of a request that the text of a list's query depends on."""

    role: str
    filters: tuple  # see config.api.filters.prepare_filters
    ordering: tuple  # public names, with their signs
    scope: tuple  # whatever else the list names


class PreparedRows:
    """The rows of a list, for a paginator: `count()` and slices run prepared statements."""

    def __init__(self, query, key, values):
        self.query, self.key, self.values = query, key, values

    def count(self):
        return self.query.count(*self.values, key=self.key)

    def __getitem__(self, page):
        return self.query.page(
            *self.values, key=self.key, limit=page.stop - page.start, offset=page.start
        )

    @property
    def queryset(self):
        """The same rows as an ordinary queryset, for what slices cannot say."""
        return self.query.queryset(*self.values, key=self.key)

    def select(self, rows):
        """Return the columns of rows of `queryset`."""
        return self.query.select(rows)


class PreparedListMixin:
    """Answers `list` from a prepared query; `?search=` and `?cursor=` take DRF's way.

    The query's `build` is called with a ListKey, the values of `list_scope()` and the arguments of
    the filters. `row_output()` returns the function that makes the JSON object of a row.
    """

    list_query: PreparedQuery | None = None
    row_class: type | None = None  # a named tuple of the query's columns

    def list(self, request, *args, **kwargs):
        rows = self.prepared_rows(request)
        if rows is None:
            return super().list(request, *args, **kwargs)
        self.rows = [self.row_class._make(row) for row in self.paginate_queryset(rows)]
        output = self.row_output()
        return self.get_paginated_response([output(row) for row in self.rows])

    def prepared_rows(self, request):
        """Return the rows of the list, or None if DRF has to find the rows."""
        params = request.query_params
        if params.get("search") or "cursor" in params:
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
        return PreparedRows(self.list_query, key, [*values, *arguments])

    def list_scope(self):
        """Return (scope, values): what else the query depends on."""
        return (), [self.request.user.pk]
