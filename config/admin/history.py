"""Pages of the staff admin that show the versions of a record."""

from itertools import pairwise

from django.http import HttpResponseNotAllowed
from django.utils.text import Truncator
from django.utils.translation import gettext as _
from simple_history.admin import SimpleHistoryAdmin

from config.admin.audited_pages import show_records


class HistoryAdminMixin(SimpleHistoryAdmin):
    """Shows the versions of a record. A version cannot be restored."""

    object_history_list_template = "admin/version_list.html"
    history_list_per_page = 25

    def history_view(self, request, object_id, extra_context=None):
        record = self.get_object(request, object_id)
        if record is None:
            return self.missing_record_response(request)
        show_records(request, record)
        return super().history_view(request, object_id, extra_context)

    def history_form_view(self, request, object_id, version_id, extra_context=None):
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        record = self.get_object(request, object_id)
        if record is None or not version_id.isdecimal():
            return self.missing_record_response(request)
        request.is_version = True
        show_records(request, record)
        return super().history_form_view(request, object_id, version_id, extra_context)

    def set_history_delta_changes(self, request, versions, foreign_keys_are_objs=True):
        """Adds to each version on the page the fields it changed, also those set by services."""
        for newer, older in pairwise(versions):
            newer.history_delta_changes = [
                {
                    "field": field.verbose_name,
                    "old": _display_value(older, field),
                    "new": _display_value(newer, field),
                }
                for field in newer.tracked_fields
                if getattr(newer, field.attname) != getattr(older, field.attname)
            ]

    def get_readonly_fields(self, request, obj=None):
        if getattr(request, "is_version", False):
            return _field_names(self.get_fieldsets(request, obj))
        return super().get_readonly_fields(request, obj)


def _field_names(fieldsets):
    """The names in the fieldsets of a page; a tuple among them is a line with several fields."""
    entries = [entry for _name, options in fieldsets for entry in options["fields"]]
    return [name for entry in entries for name in ([entry] if isinstance(entry, str) else entry)]


def _display_value(version, field):
    value = getattr(version, field.name)
    if value in ("", None):
        return "-"
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if field.choices:
        return getattr(version, f"get_{field.name}_display")()
    return Truncator(value).chars(200) if isinstance(value, str) else value
