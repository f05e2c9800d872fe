"""Who did what, to be read at the desk; nothing of it can be written here."""

from django.contrib import admin
from django.utils.text import Truncator
from django.utils.timezone import localtime
from unfold.contrib.filters.admin import ChoicesDropdownFilter, FieldTextFilter, TextFilter
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from accounts.models import AuditEvent, Outcome
from accounts.validators import is_number
from config.admin.base import ReadOnlyAdmin

COLOURS = {Outcome.SUCCESS.label: "success", Outcome.REFUSED.label: "danger"}


class NumberFilter(TextFilter):
    """By the number of a person: the audit knows no names."""

    def queryset(self, request, queryset):
        text = self.value()
        if not text:
            return queryset
        return self.of(queryset, int(text)) if is_number(text) else queryset.none()


class PatientFilter(NumberFilter):
    title = "number of the patient"
    parameter_name = "patient"

    def of(self, queryset, number):
        return queryset.about(number)


class ActorFilter(NumberFilter):
    title = "number of who did it"
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
    paginator = InfinitePaginator  # from page to page: they are too many to count
    fields = [
        "when", "who", "role", "session", "address", "request_id", "event", "action", "outcome",
        "records", "patients", "changed",
    ]  # fmt: skip

    def get_queryset(self, request):
        return super().get_queryset(request).with_actor_name()

    @display(description="when", ordering="at")
    def when(self, event):
        """To the second, in the clinic's time."""
        return f"{localtime(event.at):%Y-%m-%d %H:%M:%S}"

    @display(description="who", ordering="actor")
    def who(self, event):
        return f"{event.actor_name} ({event.actor})" if event.actor_name else event.actor

    @display(description="about")
    def about(self, event):
        return Truncator(", ".join(event.records)).chars(60)

    @display(description="result", ordering="outcome", label=COLOURS)
    def result(self, event):
        return event.get_outcome_display()
