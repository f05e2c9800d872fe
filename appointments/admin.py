"""Appointments, time slots and the history of appointments in the staff admin."""

from django.contrib import admin
from django.utils.dateparse import parse_date
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import action, display

from appointments import clock, move_rules, services, slot_services
from appointments.admin_actions import (
    BULK_MOVES,
    PEOPLE_SEARCH_FIELDS,
    STATUS_COLOURS,
    ActionFilter,
    SlotStateFilter,
    WhenFilter,
    bulk_action,
    detail_action,
    is_autocomplete,
)
from appointments.forms import TimeSlotForm, format_time
from appointments.lifecycle import MOVES, UPCOMING, Priority, Status
from appointments.models import Appointment, AppointmentHistory, TimeSlot, is_held
from config.admin.base import ReadOnlyAdmin, ReadOnlyInline, ServiceModelAdmin, coloured_label
from config.api.fields import is_in_calendar

PRIORITY_COLOURS = {Priority.URGENT: "danger", Priority.HIGH: "warning"}


class HistoryInline(ReadOnlyInline):
    model = AppointmentHistory
    verbose_name_plural = _("newest history")
    fields = [
        "created_at", "action_title", "from_status", "to_status", "to_starts_at", "changed_by",
        "reason",
    ]  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("changed_by").newest()


@admin.register(Appointment)
class AppointmentAdmin(ServiceModelAdmin):
    list_display = [
        "when", "patient", "doctor", "state", "consultation_type", "urgency", "contact_phone",
    ]  # fmt: skip
    list_filter = [
        WhenFilter,
        ("status", ChoicesDropdownFilter),
        ("doctor", AutocompleteSelectFilter),
        ("patient", AutocompleteSelectFilter),
        ("consultation_type", ChoicesDropdownFilter),
        ("priority", ChoicesDropdownFilter),
    ]
    list_select_related = ["patient", "doctor"]
    search_fields = [*PEOPLE_SEARCH_FIELDS, "reason_for_visit"]
    date_hierarchy = "starts_at"
    autocomplete_fields = ["patient", "time_slot"]
    inlines = [HistoryInline]
    actions = [bulk_action(name) for name in BULK_MOVES]
    actions_detail = list(MOVES)
    readonly_fields = ["when", "doctor", "state", "booked_by", "created_at", "updated_at"]
    fieldsets = [
        (
            None,
            {"fields": [("when", "state"), ("patient", "doctor"), ("booked_by", "created_at")]},
        ),
        (
            _("Visit"),
            {
                "fields": [
                    ("consultation_type", "priority", "contact_phone"),
                    "reason_for_visit",
                    "symptoms",
                    "patient_notes",
                ]
            },
        ),
        (_("For the doctor"), {"fields": ["doctor_notes"]}),
    ]
    add_fieldsets = [
        (None, {"fields": ["patient", "time_slot"]}),
        fieldsets[1],
    ]

    confirm = detail_action("confirm", "check")
    start = detail_action("start", "play_arrow")
    complete = detail_action("complete", "done_all")
    no_show = detail_action("no_show", "person_off")
    cancel = detail_action("cancel", "event_busy")
    reschedule = detail_action("reschedule", "edit_calendar")
    reopen = detail_action("reopen", "undo")

    def get_queryset(self, request):
        """The search boxes offer only appointments that are not over."""
        appointments = super().get_queryset(request).with_people()
        if is_autocomplete(request):
            return appointments.filter(status__in=UPCOMING | {Status.IN_PROGRESS})
        return appointments

    def get_readonly_fields(self, request, obj=None):
        if obj is None:
            return self.readonly_fields
        details = () if obj.status in UPCOMING else services.VISIT_DETAILS
        return [*self.readonly_fields, "patient", "time_slot", *details]

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "time_slot":
            field.help_text = _(
                "Free times only. Search by the name of the doctor or by day (2030-12-31)."
            )
        if db_field.name == "patient":
            field.help_text = _("Search by name, phone, e-mail or date of birth.")
        return field

    def create(self, form, by):
        return services.book(by=by, **form.cleaned_data)

    def update(self, record, form, by):
        return services.update(record, by=by, **form.changes)

    def possible_actions(self, request, record):
        return move_rules.open_moves(record, role=request.user.role)

    @display(description=_("status"), ordering="status")
    def state(self, appointment):
        return coloured_label(appointment.get_status_display(), STATUS_COLOURS[appointment.status])

    @display(description=_("priority"), ordering="priority")
    def urgency(self, appointment):
        colour = PRIORITY_COLOURS.get(appointment.priority)
        return coloured_label(appointment.get_priority_display(), colour)

    @display(description=_("time"), ordering="starts_at")
    def when(self, appointment):
        return format_time(appointment)


@admin.register(TimeSlot)
class TimeSlotAdmin(ServiceModelAdmin):
    """A slot can be changed or withdrawn while no appointment holds it."""

    form = TimeSlotForm
    list_display = ["when", "doctor", "state"]
    list_filter = [SlotStateFilter, WhenFilter, ("doctor", AutocompleteSelectFilter)]
    search_fields = ["doctor__search_text", "doctor__specialization"]
    date_hierarchy = "starts_at"
    ordering = ["-starts_at"]
    autocomplete_fields = ["doctor"]
    actions = ["withdraw_chosen"]
    actions_detail = ["withdraw"]
    readonly_fields = ["state"]
    fieldsets = [(None, {"fields": ["doctor", "date", ("start_time", "end_time"), "state"]})]
    add_fieldsets = [(None, {"fields": ["doctor", "date", ("start_time", "end_time")]})]

    def get_queryset(self, request):
        time_slots = super().get_queryset(request).select_related("doctor")
        time_slots = time_slots.annotate(is_held=is_held())
        return time_slots.free() if is_autocomplete(request) else time_slots.with_availability()

    def get_ordering(self, request):
        return ["starts_at", "pk"] if is_autocomplete(request) else self.ordering

    def get_search_results(self, request, queryset, search_term):
        """A date finds the slots of that day."""
        try:
            day = parse_date(search_term.strip())
        except ValueError:  # such as 2030-02-31
            day = None
        if day is None:
            return super().get_search_results(request, queryset, search_term)
        if not is_in_calendar(day):
            return queryset.none(), False
        start, end = clock.day_bounds(day)
        return queryset.filter(starts_at__gte=start, starts_at__lt=end), False

    def get_readonly_fields(self, request, obj=None):
        return ["doctor", *self.readonly_fields] if obj else self.readonly_fields

    def has_change_permission(self, request, obj=None):
        may_change = super().has_change_permission(request, obj)
        return may_change and not (obj and (obj.is_held or obj.withdrawn_at))

    def create(self, form, by):
        return slot_services.open_slot(**form.cleaned_data)

    def update(self, record, form, by):
        return slot_services.change_slot(record, **form.changes)

    def possible_actions(self, request, record):
        return ["withdraw"] if self.has_change_permission(request, record) else []

    @action(description=_("Withdraw"), icon="event_busy")
    def withdraw(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title=_("Withdraw"),
            act=slot_services.withdraw,
            explanation=_("Nobody can book this time any more."),
            done=_("The time slot is withdrawn."),
        )

    @admin.action(description=_("Withdraw the selected time slots"))
    def withdraw_chosen(self, request, queryset):
        done = _("Time slots withdrawn: %(count)d.")
        self.for_each_selected(request, queryset, slot_services.withdraw, done)

    @display(description=_("time"), ordering="starts_at")
    def when(self, slot):
        return format_time(slot)

    @display(description=_("state"))
    def state(self, slot):
        if slot.withdrawn_at:
            return coloured_label(_("withdrawn"), "danger")
        if slot.is_held:
            return coloured_label(_("booked"), "info")
        if slot.is_available:
            return coloured_label(_("free"), "success")
        if slot.starts_at <= clock.now():
            return coloured_label(_("past"), None)
        return coloured_label(_("not offered"), "warning")


@admin.register(AppointmentHistory)
class AppointmentHistoryAdmin(ReadOnlyAdmin):
    """Everything that happened to appointments. Read-only."""

    fields = [
        "appointment", "action_title", "from_status", "to_status", "from_starts_at",
        "to_starts_at", "changed_fields", "reason", "changed_by", "created_at",
    ]  # fmt: skip
    list_display = [
        "created_at", "action_title", "appointment", "became", "changed_by", "reason",
    ]  # fmt: skip
    list_filter = [
        ActionFilter,
        ("to_status", ChoicesDropdownFilter),
        ("changed_by", AutocompleteSelectFilter),
    ]
    list_select_related = ["appointment__patient", "appointment__doctor", "changed_by"]
    search_fields = [
        *(f"appointment__{path}" for path in PEOPLE_SEARCH_FIELDS),
        "changed_by__search_text", "reason",
    ]  # fmt: skip
    date_hierarchy = "created_at"
    ordering = ["-pk"]

    @display(description=_("changes"))
    def changed_fields(self, entry):
        names = {field.name: str(field.verbose_name) for field in Appointment._meta.fields}
        return ", ".join(names.get(name, name) for name in entry.changes)

    @display(description=_("new status"), ordering="to_status")
    def became(self, entry):
        return coloured_label(entry.get_to_status_display(), STATUS_COLOURS[entry.to_status])
