"""Consultations and their parts in the staff admin."""

from functools import partial

from django.contrib import admin
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    BooleanRadioFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
)
from unfold.decorators import action, display

from appointments.admin_actions import PEOPLE_SEARCH_FIELDS
from appointments.forms import ReopenForm
from config.admin.base import ReadOnlyAdmin, ReadOnlyInline, ServiceModelAdmin, coloured_label
from config.admin.history import HistoryAdminMixin
from consultations import services
from consultations.choices import ConsultationStatus
from consultations.forms import ConsultationCreateForm
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns

STATUS_COLOURS = {
    ConsultationStatus.SCHEDULED: "info",
    ConsultationStatus.IN_PROGRESS: "warning",
    ConsultationStatus.COMPLETED: "success",
    ConsultationStatus.CANCELLED: "danger",
}
MEASURED = [
    "systolic_bp", "diastolic_bp", "heart_rate", "temperature", "respiratory_rate",
    "oxygen_saturation", "weight", "height", "bmi",
]  # fmt: skip
PRESCRIBED = ["medication_name", "dosage", "frequency", "duration", "medication_type", "is_active"]


class StatusFilter(DropdownFilter):
    title = _("status")
    parameter_name = "status"

    def lookups(self, request, model_admin):
        return ConsultationStatus.choices

    def queryset(self, request, queryset):
        known = self.value() in ConsultationStatus.values
        return queryset.with_status(self.value()) if known else queryset


class VitalSignsInline(ReadOnlyInline):
    model = VitalSigns
    verbose_name_plural = _("newest vital signs")
    fields = readonly_fields = ["recorded_at", *MEASURED, "recorded_by"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("recorded_by").newest()


class PrescriptionInline(ReadOnlyInline):
    model = Prescription
    verbose_name_plural = _("newest prescriptions")
    fields = readonly_fields = [*PRESCRIBED, "override_reason", "prescribed_by"]

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("prescribed_by").newest()


class NoteInline(ReadOnlyInline):
    model = ConsultationNote
    verbose_name_plural = _("newest notes")
    fields = readonly_fields = [
        "created_at", "note_type", "title", "content", "is_private", "created_by",
    ]  # fmt: skip

    def get_queryset(self, request):
        return super().get_queryset(request).select_related("created_by").newest()


@admin.register(Consultation)
class ConsultationAdmin(HistoryAdminMixin, ServiceModelAdmin):
    """A completed consultation is closed: its page is read-only until it is reopened."""

    list_display = ["day", "patient", "doctor", "state", "complaint", "started_at", "ended_at"]
    list_filter = [
        StatusFilter,
        ("doctor", AutocompleteSelectFilter),
        ("patient", AutocompleteSelectFilter),
    ]
    search_fields = [*PEOPLE_SEARCH_FIELDS, "chief_complaint", "diagnosis"]
    date_hierarchy = "created_at"
    autocomplete_fields = ["appointment", "patient", "doctor"]
    inlines = [VitalSignsInline, PrescriptionInline, NoteInline]
    actions_detail = ["start", "complete", "reopen"]
    change_form_before_template = "admin/allergies.html"
    readonly_fields = ["state", "duration_minutes", "started_at", "ended_at", "created_at"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("patient", "doctor"),
                    ("appointment", "state"),
                    ("started_at", "ended_at", "duration_minutes"),
                ]
            },
        ),
        (
            _("Findings"),
            {
                "fields": [
                    "chief_complaint",
                    "history_of_present_illness",
                    "physical_examination",
                    "assessment",
                    "diagnosis",
                ]
            },
        ),
        (
            _("Plan"),
            {
                "fields": [
                    "treatment_plan",
                    "follow_up_instructions",
                    "follow_up_date",
                    "doctor_notes",
                ]
            },
        ),
    ]
    add_fieldsets = [
        (
            _("With an appointment"),
            {"fields": ["appointment"]},
        ),
        (_("Without an appointment"), {"fields": ["patient", "doctor"]}),
        (_("Complaint"), {"fields": ["chief_complaint"]}),
    ]

    def get_queryset(self, request):
        return (
            super()
            .get_queryset(request)
            .with_day()
            .select_related("patient", "doctor", "appointment__patient", "appointment__doctor")
        )

    def get_form(self, request, obj=None, change=False, **kwargs):
        if obj is None:
            kwargs["form"] = ConsultationCreateForm
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request, obj=None):
        fields = super().get_readonly_fields(request, obj)
        return [*fields, "appointment", "patient", "doctor"] if obj else fields

    def has_change_permission(self, request, obj=None):
        may_change = super().has_change_permission(request, obj)
        return may_change and not (obj and obj.is_closed)

    def create(self, form, by):
        opening = form.cleaned_data
        appointment = opening.pop("appointment")
        if appointment:
            complaint = opening["chief_complaint"]
            return services.open_for(appointment, by=by, chief_complaint=complaint)
        return services.open_walk_in(by=by, **opening)

    def update(self, record, form, by):
        return services.update_text(record, by=by, **form.changes)

    def possible_actions(self, request, record):
        match record.status:
            case ConsultationStatus.SCHEDULED:
                return ["start", "complete"]
            case ConsultationStatus.IN_PROGRESS:
                return ["complete"]
            case ConsultationStatus.COMPLETED:
                return ["reopen"]
        return []

    @action(description=_("Start"), icon="play_arrow")
    def start(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title=_("Start"),
            act=partial(services.start, by=request.user),
            explanation=_("Its appointment, if there is one, is then in progress."),
            done=_("The consultation has started."),
        )

    @action(description=_("Complete"), icon="done_all")
    def complete(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title=_("Complete"),
            act=partial(services.complete, by=request.user),
            explanation=_(
                "Its appointment, if there is one, is completed too. The consultation is then "
                "closed: only addenda can be added until it is reopened. Save your text first."
            ),
            done=_("The consultation is completed."),
        )

    @action(description=_("Reopen"), icon="undo")
    def reopen(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title=_("Reopen"),
            form=ReopenForm,
            act=partial(services.reopen, by=request.user),
            explanation=_("Its appointment, if there is one, is reopened too."),
            done=_("The consultation is reopened."),
        )

    @display(description=_("day"), ordering="took_place_at")
    def day(self, consultation):
        return consultation.took_place_at

    @display(description=_("status"))
    def state(self, consultation):
        return coloured_label(consultation.status.label, STATUS_COLOURS[consultation.status])

    @display(description=_("complaint"))
    def complaint(self, consultation):
        return Truncator(consultation.chief_complaint).chars(60)


class ConsultationPartAdmin(HistoryAdminMixin, ReadOnlyAdmin):
    """Base of the admins of the parts of a consultation, which are read-only."""

    list_select_related = ["consultation__patient", "consultation__doctor"]
    search_fields = [f"consultation__{path}" for path in PEOPLE_SEARCH_FIELDS]

    @display(description=_("patient"), ordering="consultation__patient__sort_last_name")
    def patient(self, part):
        return part.consultation.patient


@admin.register(VitalSigns)
class VitalSignsAdmin(ConsultationPartAdmin):
    list_display = [
        "recorded_at", "patient", "blood_pressure", "heart_rate", "temperature",
        "oxygen_saturation", "bmi", "recorded_by",
    ]  # fmt: skip
    list_filter = [("consultation__patient", AutocompleteSelectFilter)]
    list_select_related = [*ConsultationPartAdmin.list_select_related, "recorded_by"]
    date_hierarchy = "recorded_at"
    ordering = ["-pk"]
    fields = ["consultation", ("recorded_at", "recorded_by"), *MEASURED]

    @display(description=_("blood pressure"))
    def blood_pressure(self, measured):
        if measured.systolic_bp is None and measured.diastolic_bp is None:
            return None
        return f"{measured.systolic_bp or '?'}/{measured.diastolic_bp or '?'}"


@admin.register(Prescription)
class PrescriptionAdmin(ConsultationPartAdmin):
    list_display = ["created_at", "patient", *PRESCRIBED, "prescribed_by"]
    list_filter = [
        ("is_active", BooleanRadioFilter),
        ("medication_type", ChoicesDropdownFilter),
        ("consultation__patient", AutocompleteSelectFilter),
    ]
    list_select_related = [*ConsultationPartAdmin.list_select_related, "prescribed_by"]
    search_fields = ["medication_name", *ConsultationPartAdmin.search_fields]
    date_hierarchy = "created_at"
    ordering = ["-pk"]
    fields = [
        "consultation", ("created_at", "prescribed_by"), *PRESCRIBED, "quantity", "instructions",
        "override_reason",
    ]  # fmt: skip


@admin.register(ConsultationNote)
class ConsultationNoteAdmin(ConsultationPartAdmin):
    list_display = ["created_at", "patient", "note_type", "title", "is_private", "created_by"]
    list_filter = [
        ("note_type", ChoicesDropdownFilter),
        ("is_private", BooleanRadioFilter),
        ("consultation__patient", AutocompleteSelectFilter),
    ]
    list_select_related = [*ConsultationPartAdmin.list_select_related, "created_by"]
    search_fields = ["title", "content", *ConsultationPartAdmin.search_fields]
    date_hierarchy = "created_at"
    ordering = ["-pk"]
    fields = [
        "consultation", ("created_at", "created_by"), ("note_type", "is_private"), "title",
        "content",
    ]  # fmt: skip
