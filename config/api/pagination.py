"""Lists come in pages: `?page=`, `?page_size=`."""

from django.core.paginator import Paginator
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response

LARGEST_PAGE = 999_999_999
DEEP = 200  # rows left out before a page, from which on it is cheaper to find its ids first


class DeepPaginator(Paginator):
    """Far down a list whose rows are joined to others, the page is cut out of bare ids.

    In the same statement. Otherwise each row that is left out would be joined as well.
    """

    def _get_page(self, rows, number, paginator):
        start = (number - 1) * self.per_page
        if start >= DEEP and rows.query.select_related:
            ids = self.object_list.values("pk")[start : start + self.per_page]
            rows = self.object_list.filter(pk__in=ids)
        return super()._get_page(rows, number, paginator)


class Pages(PageNumberPagination):
    django_paginator_class = DeepPaginator
    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100

    def paginate_queryset(self, queryset, request, view=None):
        for name in (self.page_query_param, self.page_size_query_param):
            given = request.query_params.get(name, "1")
            plain = given.isascii() and given.isdigit() and len(given) <= len(str(LARGEST_PAGE))
            if not (plain and int(given)):
                raise ValidationError({name: ["A positive whole number is expected."]})
        return super().paginate_queryset(queryset, request, view)

    def get_schema_operation_parameters(self, view):
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            parameter["schema"] |= {"minimum": 1, "maximum": LARGEST_PAGE}
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"]["default"] = self.page_size
                parameter["description"] = f"Rows on a page; at most {self.max_page_size} are sent."
        return parameters

    def get_paginated_response(self, data):
        return Response(
            {
                "count": self.page.paginator.count,
                "next": self.get_next_link(),
                "previous": self.get_previous_link(),
                "results": data,
            }
        )
