"""Lists come in pages: `?page=`, `?page_size=`."""

from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.response import Response

LARGEST_PAGE = 999_999_999


class Pages(PageNumberPagination):
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
