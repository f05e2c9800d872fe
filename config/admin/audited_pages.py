"""The records that a page of the admin shows, stated for the audit.

A view calls `show_records`. It adds to `request.shown_records`, from which
`accounts.audit.middleware` writes the audit event of the page. Every page that is rendered is
audited; a page that states nothing has an event without records. An action on a list calls
`show_refused`, because the message about a refusal names the record.
"""

from django.contrib.admin import RelatedFieldListFilter
from django.contrib.admin.views.autocomplete import AutocompleteJsonView
from django.forms import ModelChoiceField


def show_records(request, *records):
    """States that the answer to `request` shows these rows of models."""
    request.shown_records = [*getattr(request, "shown_records", ()), *records]


def show_refused(request, *records):
    """States that the answer to `request` tells why an action is refused for these rows."""
    request.refused_records = [*getattr(request, "refused_records", ()), *records]


def preselected_records(form):
    """The records that the choice fields of a form name when the page is opened."""
    return [
        record
        for name, field in form.fields.items()
        if isinstance(field, ModelChoiceField) and (value := form[name].value())
        for record in field.queryset.filter(pk=value)
    ]


def filtered_records(changelist):
    """The records that the filters of a list name, also where the list has no row of theirs.

    A filter that is not by a foreign key, and names records all the same, has `named_records()`.
    """
    return [record for one in changelist.filter_specs for record in _named_by(one)]


def _named_by(list_filter):
    if hasattr(list_filter, "named_records"):
        return list_filter.named_records()
    if isinstance(list_filter, RelatedFieldListFilter) and list_filter.lookup_val:
        related = list_filter.field.related_model._base_manager
        return [row for value in list_filter.lookup_val for row in related.filter(pk=value)]
    return []


class AuditedAutocompleteView(AutocompleteJsonView):
    """The search boxes of the admin, which state the records that they offer."""

    def serialize_result(self, obj, to_field_name):
        show_records(self.request, obj)
        return super().serialize_result(obj, to_field_name)
