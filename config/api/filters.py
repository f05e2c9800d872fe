"""Query parameters: typed, bounded, and none of them ignored in silence."""

from datetime import date
from functools import cache

import django_filters
from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.filters import OrderingFilter, SearchFilter

from config.api.fields import IdFormField, is_canonical

EARLIEST, LATEST = date(1800, 1, 1), date(2200, 12, 31)  # no time zone can push these out of range
MAX_SEARCH_LENGTH = 200
MAX_SEARCH_WORDS = 10


class StrictDateField(forms.DateField):
    def __init__(self, **kwargs):
        super().__init__(
            **{"input_formats": ["%Y-%m-%d"]} | kwargs,
            validators=[MinValueValidator(EARLIEST), MaxValueValidator(LATEST)],
        )

    def to_python(self, value):
        if not is_canonical(value):
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid")
        return super().to_python(value)


class DateFilter(django_filters.DateFilter):
    """One day, as 2026-03-29."""

    field_class = StrictDateField


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 0})
class IdFilter(django_filters.Filter):
    """Rows of one record; an id that names nothing gives an empty list."""

    field_class = IdFormField


class CachedFilterBackend(DjangoFilterBackend):
    """The view's `filterset_class`, of which only what is given is cleaned and applied.

    One of each class serves all requests: its filters and methods know nothing of the one at hand.
    """

    def filter_queryset(self, request, queryset, view):
        filterset_class = self.get_filterset_class(view, queryset)
        if filterset_class is None:
            return queryset
        filters = _filters_of(filterset_class, queryset.model)
        given = [name for name in filters if name in request.query_params]
        try:
            values = [
                (name, filters[name].field.clean(request.query_params[name])) for name in given
            ]
        except forms.ValidationError:
            return super().filter_queryset(request, queryset, view)  # says all that is wrong
        for name, value in values:
            queryset = filters[name].filter(queryset, value)
        return queryset


@cache
def _filters_of(filterset_class, model):
    return filterset_class({}, queryset=model._default_manager.none()).filters


class BoundedSearchFilter(SearchFilter):
    """`?search=`: every word must be found; a novel is refused."""

    def get_search_terms(self, request):
        text = request.query_params.get(self.search_param, "")
        if not text:
            return []
        if "\x00" in text:
            raise ValidationError({self.search_param: ["Null characters are not allowed."]})
        if len(text) > MAX_SEARCH_LENGTH or len(text.split()) > MAX_SEARCH_WORDS:
            limits = f"{MAX_SEARCH_WORDS} words of {MAX_SEARCH_LENGTH} characters in all"
            raise ValidationError({self.search_param: [f"Search for at most {limits}."]})
        return super().get_search_terms(request)

    def get_schema_operation_parameters(self, view):
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            parameter["schema"] = {"type": "string", "maxLength": MAX_SEARCH_LENGTH}
            parameter["description"] = f"At most {MAX_SEARCH_WORDS} words; each must be found."
        return parameters


class StrictOrderingFilter(OrderingFilter):
    """`?ordering=`: `ordering_fields` maps each public name to what the rows are sorted by.

    The view's own `ordering` ends each order, so that pages never share or lose a row.
    """

    def get_ordering(self, request, queryset, view):
        fields = getattr(view, "ordering_fields", None) or {}
        default = list(getattr(view, "ordering", ()))
        asked = [name.strip() for name in request.query_params.get("ordering", "").split(",")]
        order = []
        for name in filter(None, asked):
            plain = name.removeprefix("-")
            if plain not in fields:
                known = ", ".join(fields)
                raise ValidationError({"ordering": [f"Order by one of: {known}."]})
            by = fields[plain]
            if isinstance(by, str):
                order.append(f"-{by}" if name.startswith("-") else by)
            else:
                order.append(by.desc() if name.startswith("-") else by.asc())
        return order + default

    def filter_queryset(self, request, queryset, view):
        ordering = self.get_ordering(request, queryset, view)
        return queryset.order_by(*ordering) if ordering else queryset

    def get_schema_operation_parameters(self, view):
        fields = getattr(view, "ordering_fields", None) or {}
        if not fields:
            return []
        name = f"-?({'|'.join(fields)})"
        return [
            {
                "name": "ordering",
                "required": False,
                "in": "query",
                "description": "Sort by these, in this order; a leading minus turns one round.",
                "schema": {"type": "string", "pattern": f"^{name}(,{name})*$"},
            }
        ]


def refuse_unknown_parameters(request, known):
    """Raise for a query parameter that is not `known`, or given twice."""
    errors = {}
    for name, values in request.query_params.lists():
        shown = name.encode(errors="backslashreplace").decode()
        if name not in known:
            sentence = "This address knows no such parameter."
            errors[shown] = [ErrorDetail(sentence, code="unknown_parameter")]
        elif len(values) > 1:
            errors[shown] = [ErrorDetail("Give this parameter once.", code="invalid")]
    if errors:
        raise ValidationError(errors)
