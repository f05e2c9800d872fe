"""Patients and emergency access in the staff admin."""

from functools import partial

from django import forms
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
from unfold.widgets import UnfoldAdminRadioSelectWidget, UnfoldBooleanWidget

from accounts.admin.users import (
    CONTACT,
    MEDICAL,
    NEW_PASSWORD,
    PERSON,
    PROOF,
    STAMPS,
    UserAdminBase,
)
from accounts.forms import UserCreateForm
from config.admin.base import ReadOnlyAdmin, ServiceModelAdmin
from config.admin.forms import ActionForm
from patients import emergency_access, services
from patients.models import EmergencyAccess, Patient, ReviewOutcome


class NewPatientForm(UserCreateForm):
    confirm_new = forms.BooleanField(
        label=_("This is another person"),
        required=False,
        help_text=_(
            "Tick this if a patient with the same name and date of birth is registered already."
        ),
        widget=UnfoldBooleanWidget,
    )

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.fields["username"].required = False
        self.fields["username"].help_text = _(
            "If left empty: the e-mail address, or a username that nobody has."
        )


@admin.register(Patient)
class PatientAdmin(UserAdminBase):
    """The directory of patients. The services close and reopen a record; nothing deletes it."""

    add_form = NewPatientForm
    list_display = ["person", "date_of_birth", "phone", "known_allergies", "is_active"]
    list_filter = [("is_active", BooleanRadioFilter), ("gender", ChoicesDropdownFilter)]
    actions = ["deactivate_patients", "reactivate_patients"]
    actions_detail = [*UserAdminBase.actions_detail, "deactivate", "reactivate"]
    change_form_before_template = "admin/allergies.html"
    fieldsets = [
        (None, {"fields": [*PERSON, *CONTACT]}),
        (_("Medical"), {"fields": MEDICAL}),
        (_("Account"), {"fields": ["is_active", PROOF, STAMPS]}),
    ]
    add_fieldsets = [
        (None, {"fields": [*PERSON, "confirm_new", *CONTACT]}),
        (_("Medical"), {"fields": MEDICAL}),
        (_("Password"), {"fields": NEW_PASSWORD}),
    ]

    def create(self, form, by):
        return services.create_patient(by=by, **form.values)

    def possible_actions(self, request, record):
        return [*UserAdminBase.actions_detail, "deactivate" if record.is_active else "reactivate"]

    @action(description=_("Close record"), icon="person_off")
    def deactivate(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title=_("Close record"),
            act=lambda patient: services.deactivate(patient, by=request.user),
            explanation=_(
                "The patient is signed out and no longer appears in any list. Upcoming "
                "appointments are cancelled. Nothing but the picture is deleted."
            ),
            done=_("The record is closed."),
        )

    @action(description=_("Reopen record"), icon="person_check")
    def reactivate(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title=_("Reopen record"),
            act=services.reactivate,
            explanation=_("Cancelled appointments stay cancelled. The picture is gone."),
            done=_("The record is open again."),
        )

    @admin.action(description=_("Close the selected records"))
    def deactivate_patients(self, request, queryset):
        def deactivate(patient):
            services.deactivate(patient, by=request.user)

        self.for_each_selected(request, queryset, deactivate, _("Records closed: %(count)d."))

    @admin.action(description=_("Reopen the selected records"))
    def reactivate_patients(self, request, queryset):
        done = _("Records reopened: %(count)d.")
        self.for_each_selected(request, queryset, services.reactivate, done)

    @display(description=_("allergies"), label="danger")
    def known_allergies(self, patient):
        return Truncator(patient.allergies).chars(40)


class ReviewFilter(DropdownFilter):
    title = _("review")
    parameter_name = "review"

    def lookups(self, request, model_admin):
        return [("open", _("To review")), ("done", _("Reviewed"))]

    def queryset(self, request, queryset):
        match self.value():
            case "open":
                return queryset.to_review()
            case "done":
                return queryset.exclude(reviewed_at=None)
        return queryset


class ReviewForm(ActionForm):
    outcome = forms.ChoiceField(
        label=_("Outcome"), choices=ReviewOutcome.choices, widget=UnfoldAdminRadioSelectWidget
    )


@admin.register(EmergencyAccess)
class EmergencyAccessAdmin(ReadOnlyAdmin):
    """Which doctors read a record in an emergency and why, and what the review found."""

    fields = list_display = [
        "created_at", "doctor", "patient", "reason", "expires_at", "outcome", "reviewed_by",
        "reviewed_at",
    ]  # fmt: skip
    list_filter = [
        ReviewFilter,
        ("outcome", ChoicesDropdownFilter),
        ("doctor", AutocompleteSelectFilter),
        ("patient", AutocompleteSelectFilter),
    ]
    list_select_related = ["doctor", "patient", "reviewed_by"]
    date_hierarchy = "created_at"
    actions_detail = ["review"]

    def has_change_permission(self, request, obj=None):
        """Only the review changes an access, so the form of its page is read-only."""
        return obj is None and ServiceModelAdmin.has_change_permission(self, request)

    def possible_actions(self, request, record):
        return [] if record.reviewed_at else self.actions_detail

    @action(description=_("Review"), icon="rule")
    def review(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title=_("Review"),
            form=ReviewForm,
            act=partial(emergency_access.review_emergency_access, by=request.user),
            facts=lambda access: [(_("Reason"), access.reason)],
            explanation=_("Was there an emergency in which the doctor needed this record?"),
            done=_("The review is noted."),
        )
