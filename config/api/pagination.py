"""Lists come in pages: `?page=`, `?page_size=`; or from `?cursor=` to cursor, without a count."""

from urllib.parse import parse_qsl, urlencode

from django.core.paginator import Page, Paginator
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response

from config.api import cursor_pagination

LARGEST_PAGE = 999_999_999
DEFERRED_JOIN_OFFSET = (
    200  # rows left out before a page, from which on it is cheaper to find its ids first
)


class DeferredJoinPaginator(Paginator):
    """Far down a list a page is looked for from the end that is nearer.

    Far from both ends it is cut out of bare ids, in the same statement. Otherwise each row that is
    left out would be looked up, and joined to others, as well.
    """

    def page(self, number):
        number = self.validate_number(number)
        before = (number - 1) * self.per_page
        if before < DEFERRED_JOIN_OFFSET:
            return super().page(number)
        rows = getattr(self.object_list, "queryset", self.object_list)
        size = min(self.per_page, self.count - before)
        after = self.count - before - size
        if after < before:
            rows = _slice_by_ids(rows.reverse(), after, size)[::-1]
        else:
            rows = _slice_by_ids(rows, before, size)
        return Page(rows, number, self)


def _slice_by_ids(rows, start, size):
    if start >= DEFERRED_JOIN_OFFSET:
        ids = rows.values("pk")[start : start + size]
        return list(rows.filter(pk__in=ids))
    return list(rows[start : start + size])


class PagePagination(PageNumberPagination):
    django_paginator_class = DeferredJoinPaginator
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100
    cursor_query_param = "cursor"
    parameters = frozenset({"page", "page_size", "cursor"})
    turn = None  # where a cursor was asked for

    def paginate_queryset(self, queryset, request, view=None):
        for name in (self.page_query_param, self.page_size_query_param):
            given = request.query_params.get(name, "1")
            plain = given.isascii() and given.isdigit() and len(given) <= len(str(LARGEST_PAGE))
            if not (plain and int(given)):
                raise ValidationError({name: ["A positive whole number is expected."]})
        if self.cursor_query_param in request.query_params:
            return self._turn(queryset, request)
        return super().paginate_queryset(queryset, request, view)

    def _turn(self, queryset, request):
        self.request = request
        for name in (self.page_query_param, "ordering"):
            if name in request.query_params:
                raise self._refused(f"A cursor knows its page and its order; leave out {name}.")
        self.turn = cursor_pagination.paginate_by_cursor(
            queryset,
            request.query_params[self.cursor_query_param],
            size=self.get_page_size(request),
            salt=f"{request.path}|{request.user.pk}",
        )
        if self.turn is None:
            raise self._refused("No cursor of this list. Begin with an empty one.")
        return self.turn.rows

    def _refused(self, sentence):
        return ValidationError({self.cursor_query_param: [sentence]})

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
                parameter["description"] = f"Rows on a page; at most {self.max_page_size} are sent."
        cursor = {
            "name": self.cursor_query_param,
            "required": False,
            "in": "query",
            "allowEmptyValue": True,
            "description": "Instead of `page`: empty to begin with, then follow `next`. "
            "The list is in its own order and not counted.",
            "schema": {"type": "string"},
        }
        return [*parameters, cursor]

    def get_paginated_response_schema(self, schema):
        page = super().get_paginated_response_schema(schema)
        page["required"] = ["next", "previous", "results"]
        page["properties"]["count"]["description"] = (
            "Of all pages; left out where `cursor` is given."
        )
        return page

    def get_paginated_response(self, data):
        if self.turn is not None:
            neighbours = {"next": self._link(self.turn.next)}
            neighbours["previous"] = self._link(self.turn.previous)
            return Response(neighbours | {"results": data})
        return Response(
            {
                "count": self.page.paginator.count,
                "next": self.get_next_link(),
                "previous": self.get_previous_link(),
                "results": data,
            }
        )
