"""The audit log in the staff admin, which only reads it."""

from django.contrib import admin
from django.utils.text import Truncator
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter, TextFilter
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from accounts.models import AuditEvent, Outcome, User
from accounts.validators import is_number
from config.admin.base import ReadOnlyAdmin, coloured_label

COLOURS = {Outcome.SUCCESS: "success", Outcome.REFUSED: "danger"}


class NumberFilter(TextFilter):
    """Filters by the number of a person. The audit log holds no names."""

    def queryset(self, request, queryset):
        text = self.value()
        if not text:
            return queryset
        return self.of(queryset, int(text)) if is_number(text) else queryset.none()

    def named_records(self):
        """The person of that number, for the audit. See `config.admin.audited_pages`."""
        text = self.value()
        return User.objects.filter(pk=text) if text and is_number(text) else []


class PatientFilter(NumberFilter):
    title = _("patient's number")
    parameter_name = "patient"

    def of(self, queryset, number):
        return queryset.about(number)


class ActorFilter(NumberFilter):
    title = _("number of the user")
    parameter_name = "actor"

    def of(self, queryset, number):
        return queryset.filter(actor=number)


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    list_display = ["when", "who", "role", "event", "action", "about", "result", "address"]
    list_filter = [
        PatientFilter,
        ActorFilter,
        ("action", ChoicesDropdownFilter),
        ("outcome", ChoicesDropdownFilter),
        ("event", FieldTextFilter),
    ]
    search_fields = ["event", "request_id"]
    paginator = InfinitePaginator  # without a count: the table is large
    fields = [
        "when", "who", "role", "session", "address", "request_id", "event", "action", "outcome",
        "records", "patients", "changed",
    ]  # fmt: skip

    def get_queryset(self, request):
        return super().get_queryset(request).with_actor_name()

    @display(description=_("time"), ordering="at")
    def when(self, event):
        """The time of the clinic, to the second."""
        return f"{localtime(event.at):%Y-%m-%d %H:%M:%S}"

    @display(description=_("user"), ordering="actor")
    def who(self, event):
        return f"{event.actor_name} ({event.actor})" if event.actor_name else event.actor

    @display(description=_("records"))
    def about(self, event):
        return Truncator(", ".join(event.records)).chars(60)

    @display(description=_("result"), ordering="outcome")
    def result(self, event):
        return coloured_label(event.get_outcome_display(), COLOURS[event.outcome])
