"""Filters for query parameters: typed, bounded, and strict about unknown parameters."""

from functools import cache

import django_filters
from django import forms
from django.core.validators import EMPTY_VALUES, MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.filters import OrderingFilter, SearchFilter

from config.api.fields import EARLIEST, LATEST, IdFormField, is_canonical
from config.db.search import search

MAX_SEARCH_LENGTH = 200
MAX_SEARCH_WORDS = 10
MAX_FILTER_VALUES = 20


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
    """A date in the format 2026-03-29."""

    field_class = StrictDateField


class ChoiceFilter(PreparedFilterMixin, django_filters.ChoiceFilter):
    pass


class ValuesField(forms.Field):
    """Values separated by commas, each cleaned by the other base class; returns a tuple."""

    def clean(self, value):
        if value in EMPTY_VALUES:
            return ()
        given = value.split(",")
        if "" in given:
            raise forms.ValidationError(_("Leave no value between the commas empty."))
        if len(given) > MAX_FILTER_VALUES:
            sentence = _("Give at most %(number)d values.") % {"number": MAX_FILTER_VALUES}
            raise forms.ValidationError(sentence)
        return tuple(dict.fromkeys(map(super().clean, given)))


class ValuesFilter(PreparedFilterMixin, django_filters.BaseCSVFilter):
    """Rows with any of the values. The text of the query depends on their number."""

    base_field_class = ValuesField

    def variant(self, values):
        return len(values)

    def arguments(self, values):
        return values

    def narrow(self, rows, variant, *values):
        if len(values) == 1:
            return rows.filter(**{self.field_name: values[0]})
        return rows.filter(**{f"{self.field_name}__in": values})


class ChoicesFilter(ValuesFilter, django_filters.ChoiceFilter):
    """Rows with any of the given choices."""


class CharFilter(PreparedFilterMixin, django_filters.CharFilter):
    pass


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 0})
class IdsFilter(ValuesFilter):
    """Rows that refer to one of the given records; an unknown id gives an empty list."""

    field_class = IdFormField


def list_parameters(request):
    """Return the filters, the search and the order of a list.

    They are the query parameters, unless the view has set `request.list_parameters`.
    """
    return getattr(request, "list_parameters", request.query_params)


class CachedFilterBackend(DjangoFilterBackend):
    """Applies the view's `filterset_class`, and cleans only the filters that are given.

    One filterset of each class serves all requests: its filters do not depend on the request.
    """

    def filter_queryset(self, request, queryset, view):
        filterset_class = self.get_filterset_class(view, queryset)
        if filterset_class is None:
            return queryset
        try:
            values = cleaned_filters(filterset_class, list_parameters(request))
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
    """`?search=`: each word must be found; the length is limited. See config.db.search."""

    def filter_queryset(self, request, queryset, view):
        fields = self.get_search_fields(view, request)
        query = list_parameters(request).get(self.search_param, "")
        if not (fields and query):
            return queryset
        if "\x00" in query:
            raise ValidationError({self.search_param: [_("Null characters are not allowed.")]})
        if len(query) > MAX_SEARCH_LENGTH or len(query.split()) > MAX_SEARCH_WORDS:
            sentence = _("Search for at most %(words)d words and %(length)d characters.")
            limits = {"words": MAX_SEARCH_WORDS, "length": MAX_SEARCH_LENGTH}
            raise ValidationError({self.search_param: [sentence % limits]})
        found = search(queryset, fields, query)
        view.search_order = found.order
        return found.rows

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
        fields, default = getattr(view, "ordering_fields", {}), getattr(view, "ordering", ())
        return order_by(ordering_names(request, view), fields, default)

    def filter_queryset(self, request, queryset, view):
        ordering = self.get_ordering(request, queryset, view)
        by_similarity = getattr(view, "search_order", ())
        if by_similarity and not {"ordering", "cursor"} & request.query_params.keys():
            ordering = [*by_similarity, *ordering]
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
                "description": "Sort by these fields, in this order; a leading minus reverses one.",
                "schema": {"type": "string", "pattern": f"^{name}(,{name})*$"},
            }
        ]


def ordering_names(request, view):
    """Return the public names of `?ordering=`, with their signs; raises ValidationError."""
    given = [name.strip() for name in list_parameters(request).get("ordering", "").split(",")]
    names = tuple(filter(None, given))
    fields = getattr(view, "ordering_fields", None) or {}
    if any(name.removeprefix("-") not in fields for name in names):
        sentence = _("Order by one of: %(fields)s.") % {"fields": ", ".join(fields)}
        raise ValidationError({"ordering": [sentence]})
    return names


def order_by(names, fields, default):
    """Return the arguments of `order_by()` for public names; the default order ends the list."""
    order = []
    for name in names:
        by = fields[name.removeprefix("-")]
        if isinstance(by, str):
            order.append(f"-{by}" if name.startswith("-") else by)
        else:
            order.append(by.desc() if name.startswith("-") else by.asc())
    return [*order, *default]


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
