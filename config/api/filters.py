"""Query parameters: typed, bounded, and none of them ignored in silence."""

from datetime import date
from functools import cache

import django_filters
from django import forms
from django.core.validators import EMPTY_VALUES, MaxValueValidator, MinValueValidator
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


class PreparedFilterMixin:
    """A filter that a prepared query can apply.

    `arguments(value)` turns a cleaned value into what `narrow(rows, *arguments)` compares columns
    with. A filter whose condition depends on the value otherwise returns no arguments and puts the
    value into `variant(value)`, which `narrow` gets first.
    """

    def variant(self, value):
        return None

    def arguments(self, value):
        return (value,)

    def narrow(self, rows, variant, *arguments):
        [argument] = arguments
        return rows.filter(**{f"{self.field_name}__{self.lookup_expr}": argument})

    def filter(self, rows, value):
        if value in EMPTY_VALUES:
            return rows
        return self.narrow(rows, self.variant(value), *self.arguments(value))


class DateFilter(PreparedFilterMixin, django_filters.DateFilter):
    """One day, as 2026-03-29."""

    field_class = StrictDateField


class ChoiceFilter(PreparedFilterMixin, django_filters.ChoiceFilter):
    pass


class CharFilter(PreparedFilterMixin, django_filters.CharFilter):
    pass


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 0})
class IdFilter(PreparedFilterMixin, django_filters.Filter):
    """Rows of one record; an id that names nothing gives an empty list."""

    field_class = IdFormField


class CachedFilterBackend(DjangoFilterBackend):
    """Applies the view's `filterset_class`, and cleans only the filters that are given.

    One filterset of each class serves all requests: its filters do not depend on the request.
    """

    def filter_queryset(self, request, queryset, view):
        filterset_class = self.get_filterset_class(view, queryset)
        if filterset_class is None:
            return queryset
        try:
            values = cleaned_filters(filterset_class, request.query_params)
        except forms.ValidationError:
            return super().filter_queryset(request, queryset, view)  # reports every error
        for name, value in values:
            queryset = filters_of(filterset_class)[name].filter(queryset, value)
        return queryset


def cleaned_filters(filterset_class, params):
    """Return [(name, value)] of the filters given; raises forms.ValidationError."""
    filters = filters_of(filterset_class)
    return [(name, filters[name].field.clean(params[name])) for name in filters if name in params]


@cache
def filters_of(filterset_class):
    return filterset_class({}, queryset=filterset_class.Meta.model.objects.none()).filters


def prepare_filters(filterset_class, cleaned):
    """Return (key, arguments) of cleaned filters, for `narrow`."""
    key, arguments = [], []
    for name, value in cleaned:
        if value not in EMPTY_VALUES:
            one = filters_of(filterset_class)[name]
            own = one.arguments(value)
            key.append((name, one.variant(value), len(own)))
            arguments += own
    return tuple(key), arguments


def narrow(rows, filterset_class, key, arguments):
    """Apply the filters that `prepare_filters` described."""
    arguments = list(arguments)
    for name, variant, count in key:
        own, arguments = arguments[:count], arguments[count:]
        rows = filters_of(filterset_class)[name].narrow(rows, variant, *own)
    return rows


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
        return order_by(view, ordering_names(request, view))

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


def ordering_names(request, view):
    """Return the public names of `?ordering=`, with their signs; raises ValidationError."""
    names = [name.strip() for name in request.query_params.get("ordering", "").split(",")]
    names = tuple(filter(None, names))
    fields = getattr(view, "ordering_fields", None) or {}
    if any(name.removeprefix("-") not in fields for name in names):
        known = ", ".join(fields)
        raise ValidationError({"ordering": [f"Order by one of: {known}."]})
    return names


def order_by(view, names):
    """Return the arguments of `order_by()` for public names, ended by the view's own order."""
    order = []
    for name in names:
        by = view.ordering_fields[name.removeprefix("-")]
        if isinstance(by, str):
            order.append(f"-{by}" if name.startswith("-") else by)
        else:
            order.append(by.desc() if name.startswith("-") else by.asc())
    return order + list(getattr(view, "ordering", ()))


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
