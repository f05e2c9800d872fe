"""Appointments at the desk: booked, moved and amended by the same services as in the API."""

from django.contrib import admin
from django.utils.dateparse import parse_date
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import action, display

from appointments import booking_rules, clock, services, slot_services
from appointments.admin_actions import (
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
from config.admin.base import ReadOnlyAdmin, ReadOnlyInline, ServiceModelAdmin


class HistoryInline(ReadOnlyInline):
    model = AppointmentHistory
    verbose_name_plural = "history"
    fields = [
        "created_at", "action", "from_status", "to_status", "to_starts_at", "changed_by", "reason",
    ]  # fmt: skip
    readonly_fields = fields

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("changed_by")


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
    actions = [bulk_action(name) for name in MOVES if name != "reschedule"]
    actions_detail = list(MOVES)
    readonly_fields = ["when", "doctor", "state", "booked_by", "created_at", "updated_at"]
    fieldsets = [
        (
            None,
            {"fields": [("when", "state"), ("patient", "doctor"), ("booked_by", "created_at")]},
        ),
        (
            "Visit",
            {
                "fields": [
                    ("consultation_type", "priority", "contact_phone"),
                    "reason_for_visit",
                    "symptoms",
                    "patient_notes",
                ]
            },
        ),
        ("For the doctor", {"fields": ["doctor_notes"]}),
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

    def get_queryset(self, request):
        """To choose from, only those that are not over."""
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
            field.help_text = "Free times only; search by the doctor's name or a day (2030-12-31)."
        if db_field.name == "patient":
            field.help_text = "Search by name, phone, e-mail or date of birth."
        return field

    def create(self, form, by):
        return services.book(by=by, **form.cleaned_data)

    def update(self, record, form, by):
        return services.update(record, by=by, **form.changes)

    def open_steps(self, request, record):
        return booking_rules.open_moves(record, role=request.user.role)

    @display(description="status", ordering="status", label=STATUS_COLOURS)
    def state(self, appointment):
        return appointment.get_status_display()

    @display(
        description="priority",
        ordering="priority",
        label={Priority.URGENT.label: "danger", Priority.HIGH.label: "warning"},
    )
    def urgency(self, appointment):
        return appointment.get_priority_display()

    @display(description="time", ordering="starts_at")
    def when(self, appointment):
        return format_time(appointment)


@admin.register(TimeSlot)
class TimeSlotAdmin(ServiceModelAdmin):
    """A slot can be changed or withdrawn while nobody holds it."""

    form = TimeSlotForm
    list_display = ["when", "doctor", "state"]
    list_filter = [SlotStateFilter, WhenFilter, ("doctor", AutocompleteSelectFilter)]
    search_fields = ["doctor__first_name", "doctor__last_name", "doctor__specialization"]
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
        """A day finds the slots of that day."""
        try:
            day = parse_date(search_term.strip())
        except ValueError:  # 2030-02-31
            day = None
        if day is None:
            return super().get_search_results(request, queryset, search_term)
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

    def open_steps(self, request, record):
        return ["withdraw"] if self.has_change_permission(request, record) else []

    @action(description="Withdraw", icon="event_busy")
    def withdraw(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title="Withdraw",
            act=slot_services.withdraw,
            explanation="Nobody can book this time any more.",
            done="The time slot is withdrawn.",
        )

    @admin.action(description="Withdraw the time slots chosen")
    def withdraw_chosen(self, request, queryset):
        self.for_each_selected(
            request, queryset, slot_services.withdraw, done="Time slots withdrawn"
        )

    @display(description="time", ordering="starts_at")
    def when(self, slot):
        return format_time(slot)

    @display(
        description="state",
        label={"free": "success", "held": "info", "withdrawn": "danger", "not offered": "warning"},
    )
    def state(self, slot):
        if slot.withdrawn_at:
            return "withdrawn"
        if slot.is_held:
            return "held"
        if slot.is_available:
            return "free"
        return "past" if slot.starts_at <= clock.now() else "not offered"


@admin.register(AppointmentHistory)
class AppointmentHistoryAdmin(ReadOnlyAdmin):
    """What happened to appointments, all of it and in order; nobody writes here."""

    list_display = ["created_at", "action", "appointment", "became", "changed_by", "reason"]
    list_filter = [
        ActionFilter,
        ("to_status", ChoicesDropdownFilter),
        ("changed_by", AutocompleteSelectFilter),
    ]
    list_select_related = ["appointment__patient", "appointment__doctor", "changed_by"]
    search_fields = [
        *(f"appointment__{path}" for path in PEOPLE_SEARCH_FIELDS),
        "changed_by__first_name", "changed_by__last_name", "reason",
    ]  # fmt: skip
    date_hierarchy = "created_at"
    ordering = ["-pk"]

    @display(description="became", ordering="to_status", label=STATUS_COLOURS)
    def became(self, entry):
        return entry.get_to_status_display()
