from django.contrib import admin
from django.utils.text import Truncator
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    BooleanRadioFilter,
    ChoicesDropdownFilter,
)
from unfold.decorators import action, display

from accounts.admin.users import MEDICAL, NEW_PASSWORD, PERSON, STAMPS, UserAdminBase
from accounts.forms import UserCreateForm
from config.admin.base import ReadOnlyAdmin
from patients import services
from patients.models import EmergencyAccess, Patient


class NewPatientForm(UserCreateForm):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["username"].required = False
        self.fields["username"].help_text = "If left empty, the e-mail address or one nobody has."


@admin.register(Patient)
class PatientAdmin(UserAdminBase):
    """The directory. A record is closed and opened by the services, and never deleted."""

    add_form = NewPatientForm
    list_display = ["person", "date_of_birth", "phone", "known_allergies", "is_active"]
    list_filter = [("is_active", BooleanRadioFilter), ("gender", ChoicesDropdownFilter)]
    actions = ["deactivate_patients", "reactivate_patients"]
    actions_detail = [*UserAdminBase.actions_detail, "deactivate", "reactivate"]
    change_form_before_template = "admin/allergies.html"
    fieldsets = [
        (None, {"fields": PERSON}),
        ("Medical", {"fields": MEDICAL}),
        ("Account", {"fields": ["is_active", STAMPS]}),
    ]
    add_fieldsets = [
        (None, {"fields": PERSON}),
        ("Medical", {"fields": MEDICAL}),
        ("Password", {"fields": NEW_PASSWORD}),
    ]

    def create(self, form, by):
        return services.create_patient(**form.values)

    def open_steps(self, request, record):
        return [*UserAdminBase.actions_detail, "deactivate" if record.is_active else "reactivate"]

    @action(description="Close record", icon="person_off")
    def deactivate(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title="Close record",
            act=lambda patient: services.deactivate(patient, by=request.user),
            explanation=(
                "The patient is signed out and leaves every list, and the appointments to come "
                "are cancelled. Nothing is deleted."
            ),
            done="The record is closed.",
        )

    @action(description="Reopen record", icon="person_check")
    def reactivate(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title="Reopen record",
            act=services.reactivate,
            explanation="Cancelled appointments stay cancelled.",
            done="The record is open again.",
        )

    @admin.action(description="Close the records chosen")
    def deactivate_patients(self, request, queryset):
        def deactivate(patient):
            services.deactivate(patient, by=request.user)

        self.for_each_selected(request, queryset, deactivate, done="Records closed")

    @admin.action(description="Reopen the records chosen")
    def reactivate_patients(self, request, queryset):
        self.for_each_selected(request, queryset, services.reactivate, done="Records reopened")

    @display(description="allergies", label="danger")
    def known_allergies(self, patient):
        return Truncator(patient.allergies).chars(40)


@admin.register(EmergencyAccess)
class EmergencyAccessAdmin(ReadOnlyAdmin):
    """Who went past the rule, and why."""

    fields = list_display = ["created_at", "doctor", "patient", "reason", "expires_at"]
    list_filter = [("doctor", AutocompleteSelectFilter), ("patient", AutocompleteSelectFilter)]
    list_select_related = ["doctor", "patient"]
    date_hierarchy = "created_at"
