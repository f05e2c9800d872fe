"""Pagination by page number (`?page=`, `?page_size=`) or by `?cursor=`, which does not count.

A page is refused if its rows are larger than a response may be: nothing is left out silently.
"""

from contextlib import nullcontext
from itertools import chain
from threading import Lock
from urllib.parse import parse_qsl, urlencode

from django.core.paginator import Page, Paginator
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response

from config.api import cursor_pagination
from config.api.filters import list_parameters
from config.api.narrowed_fields import narrowed
from config.api.prepared_lists import PreparedRows
from config.api.renderers import FastJSONRenderer
from config.errors import rule_error

LARGEST_PAGE = 999_999_999
MAX_ROWS_BYTES = 4_900_000  # of the JSON; with the envelope a response has at most 5 MB
MAX_BYTES_PER_CHARACTER = 6  # as \u0001
DEFERRED_JOIN_OFFSET = 200  # from this offset on, finding the ids first is cheaper


# A worker fetches one page of more than the default size at a time: its rows may turn out to be too
# large for a response.
one_large_page = Lock()


def page_too_large(allowed):
    sentence = _("These rows are too large for one response. Ask for at most %(page_size)d rows.")
    return rule_error("page_size", sentence, "page_too_large", page_size=allowed)


class DeferredJoinPaginator(Paginator):
    """Finds distant pages faster than OFFSET, which reads and joins all rows before the page.

    A page in the second half is read from the end of the list. A page far from both ends is found
    by a subquery of ids in the same statement.
    """

    def page(self, number):
        number = self.validate_number(number)
        before = (number - 1) * self.per_page
        if before < DEFERRED_JOIN_OFFSET:
            return super().page(number)
        size = min(self.per_page, self.count - before)
        after = self.count - before - size
        if after < before:
            rows = self._slice(self._rows.reverse(), after, size)[::-1]
        else:
            rows = self._slice(self._rows, before, size)
        return Page(rows, number, self)

    @property
    def _rows(self):
        is_prepared = isinstance(self.object_list, PreparedRows)
        return self.object_list.queryset if is_prepared else self.object_list

    def _slice(self, rows, start, size):
        if start >= DEFERRED_JOIN_OFFSET:
            rows, start = rows.filter(pk__in=rows.values("pk")[start : start + size]), 0
        rows = rows[start : start + size]
        is_prepared = isinstance(self.object_list, PreparedRows)
        return self.object_list.fetch(rows) if is_prepared else list(rows)


class PagePagination(PageNumberPagination):
    django_paginator_class = DeferredJoinPaginator
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100
    cursor_query_param = "cursor"
    parameters = frozenset({"page", "page_size", "cursor"})
    cursor_page = None  # set if the request has a cursor
    only_fields = None  # see config.api.narrowed_fields
    long_texts = ()  # the view's `long_texts`: the fields that can make a page too large

    def paginate_queryset(self, queryset, request, view=None):
        self.long_texts = getattr(view, "long_texts", ())
        self.only_fields = getattr(view, "only_fields", None)
        for name in (self.page_query_param, self.page_size_query_param):
            given = request.query_params.get(name, "1")
            is_number = given.isascii() and given.isdigit() and len(given) <= len(str(LARGEST_PAGE))
            if not (is_number and int(given)):
                raise ValidationError({name: [_("Enter a positive whole number.")]})
        if not self.long_texts:
            return self._fetch(queryset, request, view)
        is_large = (self.get_page_size(request) or 0) > self.page_size
        with one_large_page if is_large else nullcontext():
            rows = self._fetch(queryset, request, view)
            allowed = self._allowed_rows(rows)
            if allowed is not None:
                # The error refers to this frame: without the rows, their memory is free at once.
                self.page = self.cursor_page = rows = None
        if allowed is not None:
            raise page_too_large(allowed)
        return rows

    def _fetch(self, queryset, request, view):
        if self.cursor_query_param in request.query_params:
            return self._paginate_by_cursor(queryset, request)
        return super().paginate_queryset(queryset, request, view)

    def _allowed_rows(self, rows):
        """Return how many such rows a response can have; None if their texts fit."""
        names = [
            name for name in self.long_texts if not self.only_fields or name in self.only_fields
        ]
        texts = [[getattr(row, name, "") for name in names] for row in rows]
        if sum(map(len, chain(*texts))) * MAX_BYTES_PER_CHARACTER <= MAX_ROWS_BYTES:
            return None
        sizes = [sum(len(text.encode()) for text in row) for row in texts]
        return MAX_ROWS_BYTES // max(sizes) if sum(sizes) > MAX_ROWS_BYTES else None

    def _paginate_by_cursor(self, queryset, request):
        self.request = request
        for name in (self.page_query_param, "ordering"):
            if name in request.query_params or name in list_parameters(request):
                sentence = _("A cursor determines the page and the order. Leave out %(parameter)s.")
                raise self._cursor_error(sentence % {"parameter": name})
        is_prepared = isinstance(queryset, PreparedRows)
        self.cursor_page = cursor_pagination.paginate_by_cursor(
            queryset if is_prepared else cursor_pagination.QuerysetRows(queryset),
            request.query_params[self.cursor_query_param],
            size=self.get_page_size(request),
            salt=f"{request.path}|{request.user.pk}",
        )
        if self.cursor_page is None:
            sentence = _("This is not a cursor of this list. Start with an empty one.")
            raise self._cursor_error(sentence)
        return self.cursor_page.rows

    def _cursor_error(self, sentence):
        return ValidationError({self.cursor_query_param: [sentence]})

    def _check_size(self, rows):
        """Raise `page_too_large`, with a page size that these rows allow."""
        rows = [narrowed(row, self.only_fields) for row in rows] if self.only_fields else rows
        characters = sum(len(row[name]) for row in rows for name in self.long_texts if name in row)
        if characters * MAX_BYTES_PER_CHARACTER < MAX_ROWS_BYTES // 2:
            return  # the other fields of a page are far smaller than the other half
        sizes = [len(FastJSONRenderer().render(row)) + 1 for row in rows]
        if sum(sizes) > MAX_ROWS_BYTES:
            raise page_too_large(MAX_ROWS_BYTES // max(sizes))

    def _link(self, cursor):
        if cursor is None:
            return None
        address, _mark, query = self.request.build_absolute_uri().partition("?")
        parameters = dict(parse_qsl(query, keep_blank_values=True))
        parameters[self.cursor_query_param] = cursor
        return f"{address}?{urlencode(sorted(parameters.items()))}"

    def get_schema_operation_parameters(self, view):
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            parameter["schema"] |= {"minimum": 1, "maximum": LARGEST_PAGE}
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"]["default"] = self.page_size
                parameter["description"] = f"Rows per page, at most {self.max_page_size}."
        cursor = {
            "name": self.cursor_query_param,
            "required": False,
            "in": "query",
            "allowEmptyValue": True,
            "description": "Use in place of `page`: start with an empty cursor, then follow "
            "`next`. The list has its default order and no count.",
            "schema": {"type": "string"},
        }
        return [*parameters, cursor]

    def get_paginated_response_schema(self, schema):
        page = super().get_paginated_response_schema(schema)
        page["required"] = ["next", "previous", "results"]
        for name in ("next", "previous"):
            page["properties"][name] = {
                "type": ["string", "null"],
                "format": "uri",
                "description": f"The address of the {name} page; null if there is none.",
            }
        page["properties"]["count"]["description"] = (
            "The number of rows on all pages; missing if `cursor` is given."
        )
        return page

    def get_paginated_response(self, data):
        self._check_size(data)
        if self.cursor_page is not None:
            neighbours = {"next": self._link(self.cursor_page.next)}
            neighbours["previous"] = self._link(self.cursor_page.previous)
            return Response(neighbours | {"results": data})
        return Response(
            {
                "count": self.page.paginator.count,
                "next": self.get_next_link(),
                "previous": self.get_previous_link(),
                "results": data,
            }
        )
