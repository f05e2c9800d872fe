"""User accounts in the staff admin: all accounts, and the doctors with their licences."""

from django.contrib import admin, messages
from django.contrib.auth.models import Group
from django.contrib.auth.views import PasswordChangeView
from django.core.exceptions import ValidationError
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.debug import sensitive_post_parameters
from unfold.contrib.filters.admin import (
    BooleanRadioFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
)
from unfold.decorators import action, display

from accounts import closing, licences, services
from accounts.audit import log as audit
from accounts.auth import lockout, sessions
from accounts.forms import (
    OwnPasswordForm,
    PasswordForm,
    UserChangeForm,
    UserCreateForm,
    VerifyLicenceForm,
)
from accounts.models import Doctor, User
from accounts.models.user import EMAIL_LOST
from accounts.roles import UserType
from config.admin.base import ServiceModelAdmin, coloured_label
from config.admin.history import HistoryAdminMixin
from config.context import client_ip

admin.site.unregister(Group)

NAME = ("first_name", "last_name")
PERSON = [NAME, "email", "username", "phone", ("date_of_birth", "gender"), "address"]
LICENCE = ("medical_license_number", "specialization")
CONTACT = ["contact_email"]  # of patients
MEDICAL = [
    "allergies",
    "medical_history",
    ("emergency_contact", "emergency_contact_relation"),
    "emergency_contact_phone",
]
NEW_PASSWORD = ["password", "password_again"]
PROOF = ("email_verified", "pending_email")
STAMPS = ("last_login", "created_at", "updated_at")
ROLE_COLOURS = {
    UserType.ADMIN: "danger",
    UserType.DOCTOR: "info",
    UserType.PATIENT: "success",
}


class UserAdminBase(ServiceModelAdmin):
    """Base of the admins of accounts, each of which shows one kind of user.

    `User.save` derives the staff flags from the user type. No form has them.
    """

    form = UserChangeForm
    add_form = UserCreateForm
    search_fields = ["search_text", "username"]
    date_hierarchy = "created_at"
    ordering = ["sort_last_name", "sort_first_name", "pk"]
    actions_detail = ["set_password", "end_all_sessions"]
    readonly_fields = [*STAMPS, "is_active", "license_verified", *PROOF]

    def get_form(self, request, obj=None, change=False, **kwargs):
        if obj is None:
            kwargs["form"] = self.add_form
        return super().get_form(request, obj, change, **kwargs)

    def update(self, record, form, by):
        return services.update_profile(record, by=by, **form.changes)

    @method_decorator(sensitive_post_parameters())
    def changeform_view(self, request, *args, **kwargs):
        """Counts the current password, given to change an e-mail address, as a sign-in attempt."""
        if not request.POST.get("current_password"):
            return super().changeform_view(request, *args, **kwargs)
        by = request.user
        attempt = lockout.LoginAttempt(by.username, by.pk, client_ip(request))
        try:
            attempt.consume()
        except ValidationError as error:
            request.service_error = error
            return super().changeform_view(request, *args, **kwargs)
        page = super().changeform_view(request, *args, **kwargs)
        refusal = getattr(request, "service_error", None)
        if "current_password" not in getattr(refusal, "error_dict", {}):
            attempt.refund()
        return page

    def history_view(self, request, object_id, extra_context=None):
        """Redirects to the account, which keeps the versions of all kinds of users."""
        return HttpResponseRedirect(reverse("admin:accounts_user_history", args=[object_id]))

    @action(description=_("Set password"), icon="key")
    @method_decorator(sensitive_post_parameters())
    def set_password(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title=_("Set password"),
            form=PasswordForm,
            act=set_password,
            explanation=_(
                "The person is signed out everywhere. After the next sign-in with this password, "
                "they must choose their own."
            ),
            done=_("The password is set."),
        )

    @action(description=_("End all sessions"), icon="logout")
    def end_all_sessions(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title=_("End all sessions"),
            act=sessions.end_all,
            explanation=_("The person is signed out on every device."),
            done=_("The sessions have ended."),
        )

    @display(description=_("name"), header=True, ordering="sort_last_name")
    def person(self, person):
        initials = f"{person.first_name[:1]}{person.last_name[:1]}"
        return [str(person), person.email or person.username, initials.upper()]


def tell_of_a_lost_address(sender, request, user, **kwargs):
    """Show the message at a sign-in by cookie. The API shows it in the response of the login."""
    if user.email_lost_at:
        messages.warning(request, EMAIL_LOST, fail_silently=True)  # there may be no browser


def create_account(*, password, **fields):
    person = services.register(password=password, by_clinic=True, **fields)
    if person.email and password is None:
        services.invite(person)
    return person


def change_own_password(request):
    """Django's page, with the form that goes through the service."""
    view = PasswordChangeView.as_view(
        form_class=OwnPasswordForm,
        success_url=reverse("admin:password_change_done"),
        extra_context=admin.site.each_context(request),
    )
    return view(request)


def set_password(person, *, password):
    person = User.objects.select_for_update(no_key=True).get(pk=person.pk)
    closing.check_not_anonymised(person)
    person.set_password(password)
    person.must_change_password = True
    person.save()
    audit.record_change("account.set_password", person, fields=["password"])


@admin.register(User)
class UserAdmin(HistoryAdminMixin, UserAdminBase):
    """All accounts. The services keep one active admin (accounts.closing)."""

    list_display = ["person", "username", "role", "phone", "is_active", "last_login", "created_at"]
    list_filter = [
        ("user_type", ChoicesDropdownFilter),
        ("is_active", BooleanRadioFilter),
        ("gender", ChoicesDropdownFilter),
    ]
    search_fields = [*UserAdminBase.search_fields, "medical_license_number"]
    add_fieldsets = [
        (None, {"fields": ["user_type", *PERSON]}),
        (_("Password"), {"fields": NEW_PASSWORD}),
        (_("Doctors"), {"fields": [LICENCE], "classes": ["collapse"]}),
        (_("Patients"), {"fields": MEDICAL, "classes": ["collapse"]}),
    ]

    def get_object(self, request, object_id, from_field=None):
        """Remembers the current role: a refused form leaves the requested one on the row."""
        person = super().get_object(request, object_id, from_field)
        if person:
            person.current_role = person.user_type
        return person

    def get_fieldsets(self, request, obj=None):
        if obj is None:
            return self.add_fieldsets
        current_role = getattr(obj, "current_role", obj.user_type)
        role_is_open = not self._keeps_role(request, obj)
        is_own_form = obj.pk == request.user.pk and not getattr(request, "is_version", False)
        own_sign_in = ["current_password"] if is_own_form else []
        fieldsets = [
            (None, {"fields": [*PERSON, *own_sign_in]}),
            (_("Account"), {"fields": [("user_type", "is_active"), PROOF, STAMPS]}),
        ]
        if role_is_open or current_role == UserType.DOCTOR:
            fieldsets.append((_("Doctor"), {"fields": [LICENCE, "license_verified"]}))
        if role_is_open or current_role == UserType.PATIENT:
            fieldsets.append((_("Patient"), {"fields": MEDICAL}))
        return fieldsets

    def get_readonly_fields(self, request, obj=None):
        fields = set(super().get_readonly_fields(request, obj))
        if obj is None:
            return fields
        if self._keeps_role(request, obj):
            fields.add("user_type")
        current_role = getattr(obj, "current_role", obj.user_type)
        if obj.pk != request.user.pk and current_role != UserType.PATIENT:
            fields.discard("is_active")  # patients.services closes the record of a patient
        return fields

    def _keeps_role(self, request, person):
        return person.pk == request.user.pk or person.has_records()

    def create(self, form, by):
        return create_account(**form.values)

    @display(description=_("role"), ordering="user_type")
    def role(self, person):
        return coloured_label(person.get_user_type_display(), ROLE_COLOURS[person.user_type])


def licence_facts(doctor):
    """The (label, text) pairs of what is verified, with what was verified before if it differs."""
    before = licences.last_verified(doctor)
    for name in licences.VERIFIED_FIELDS:
        text = getattr(doctor, name)
        if before and getattr(before, name) != text:
            text = _("%(now)s (verified before: %(before)s)") % {
                "now": text,
                "before": getattr(before, name),
            }
        yield capfirst(doctor._meta.get_field(name).verbose_name), text


class SpecializationFilter(DropdownFilter):
    title = _("specialization")
    parameter_name = "specialization"

    def lookups(self, request, model_admin):
        named = Doctor.objects.order_by("specialization").values_list("specialization", flat=True)
        return [(name, name) for name in named.distinct()]

    def queryset(self, request, queryset):
        return queryset.filter(specialization=self.value()) if self.value() else queryset


@admin.register(Doctor)
class DoctorAdmin(UserAdminBase):
    list_display = [
        "person", "specialization", "medical_license_number", "licence", "phone", "is_active",
    ]  # fmt: skip
    list_filter = [
        ("license_verified", BooleanRadioFilter),
        SpecializationFilter,
        ("is_active", BooleanRadioFilter),
    ]
    search_fields = [*UserAdminBase.search_fields, *LICENCE]
    actions_row = ["verify_licence"]
    actions_detail = ["verify_licence", *UserAdminBase.actions_detail]
    fieldsets = [
        (None, {"fields": [LICENCE, ("license_verified", "is_active"), *PERSON]}),
        (_("Account"), {"fields": [PROOF, STAMPS]}),
    ]
    add_fieldsets = [
        (None, {"fields": [LICENCE, *PERSON]}),
        (_("Password"), {"fields": NEW_PASSWORD}),
    ]

    def create(self, form, by):
        return create_account(user_type=UserType.DOCTOR, **form.values)

    def possible_actions(self, request, record):
        return UserAdminBase.actions_detail if record.license_verified else self.actions_detail

    @action(description=_("Verify licence"), icon="verified")
    def verify_licence(self, request, object_id):
        return self.action_view(
            request,
            object_id,
            title=_("Verify licence"),
            form=VerifyLicenceForm,
            act=licences.verify_licence,
            facts=licence_facts,
            explanation=_(
                "You have seen the licence, and it has these entries. The doctor can be booked "
                "from now on."
            ),
            done=_("The licence is verified."),
        )

    @display(description=_("licence"), ordering="license_verified")
    def licence(self, doctor):
        if doctor.license_verified:
            return coloured_label(_("verified"), "success")
        return coloured_label(_("to verify"), "warning")
