"""Filters for query parameters: typed, bounded, and strict about unknown parameters."""

from datetime import date
from functools import cache

import django_filters
from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.filters import OrderingFilter, SearchFilter

from config.api.fields import IdFormField, is_canonical

EARLIEST, LATEST = (
    date(1800, 1, 1),
    date(2200, 12, 31),
)  # far enough from the limits of datetime for any time zone
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
    """A date in the format 2026-03-29."""

    field_class = StrictDateField


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 0})
class IdFilter(django_filters.Filter):
    """Rows that refer to one record; an unknown id gives an empty list."""

    field_class = IdFormField


class CachedFilterBackend(DjangoFilterBackend):
    """Applies the view's `filterset_class`, but only the filters whose parameters are given.

    The filters of a class are created once and shared by all requests, so that they must not depend
    on a request.
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
            return super().filter_queryset(request, queryset, view)  # reports all errors
        for name, value in values:
            queryset = filters[name].filter(queryset, value)
        return queryset


@cache
def _filters_of(filterset_class, model):
    return filterset_class({}, queryset=model._default_manager.none()).filters


class BoundedSearchFilter(SearchFilter):
    """`?search=`: each word must be found; the length is limited."""

    def get_search_terms(self, request):
        text = request.query_params.get(self.search_param, "")
        if not text:
            return []
        if "\x00" in text:
            raise ValidationError({self.search_param: [_("Null characters are not allowed.")]})
        if len(text) > MAX_SEARCH_LENGTH or len(text.split()) > MAX_SEARCH_WORDS:
            sentence = _("Search for at most %(words)d words and %(length)d characters.")
            limits = {"words": MAX_SEARCH_WORDS, "length": MAX_SEARCH_LENGTH}
            raise ValidationError({self.search_param: [sentence % limits]})
        return super().get_search_terms(request)

    def get_schema_operation_parameters(self, view):
        parameters = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            parameter["schema"] = {"type": "string", "maxLength": MAX_SEARCH_LENGTH}
            parameter["description"] = f"At most {MAX_SEARCH_WORDS} words; each must be found."
        return parameters


class StrictOrderingFilter(OrderingFilter):
    """`?ordering=`: the view's `ordering_fields` maps public names to fields or expressions.

    The view's `ordering` is appended, so that the order is total and pages do not overlap.
    """

    def get_ordering(self, request, queryset, view):
        fields = getattr(view, "ordering_fields", None) or {}
        default = list(getattr(view, "ordering", ()))
        names = [name.strip() for name in request.query_params.get("ordering", "").split(",")]
        order = []
        for name in filter(None, names):
            plain = name.removeprefix("-")
            if plain not in fields:
                sentence = _("Order by one of: %(fields)s.") % {"fields": ", ".join(fields)}
                raise ValidationError({"ordering": [sentence]})
            by = fields[plain]
            if isinstance(by, str):
                order.append(f"-{by}" if name.startswith("-") else by)
            else:
                order.append(by.desc() if name.startswith("-") else by.asc())
        return order + default

    def filter_queryset(self, request, queryset, view):
        ordering = self.get_ordering(request, queryset, view)
        if not ordering or ordering == _order_of(queryset):
            return queryset
        return queryset.order_by(*ordering)

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
                "description": "Sort by these fields, in this order; a leading minus reverses one.",
                "schema": {"type": "string", "pattern": f"^{name}(,{name})*$"},
            }
        ]


def _order_of(rows):
    """Return the order of the queryset; [] if it has none or is reversed."""
    query = rows.query
    by_default = rows.model._meta.ordering if query.default_ordering else ()
    return list(query.order_by or by_default) if query.standard_ordering else []


def refuse_unknown_parameters(request, known):
    """Raise a ValidationError for a query parameter that is not in `known` or is repeated."""
    errors = {}
    for name, values in request.query_params.lists():
        text = name.encode(errors="backslashreplace").decode()
        if name not in known:
            sentence = _("This parameter is not known here.")
            errors[text] = [ErrorDetail(sentence, code="unknown_parameter")]
        elif len(values) > 1:
            errors[text] = [ErrorDetail(_("Give this parameter only once."), code="invalid")]
    if errors:
        raise ValidationError(errors)
