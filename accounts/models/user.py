"""The user model. `Doctor` and `patients.Patient` are proxies of it."""

import secrets
from typing import ClassVar

from django.conf import settings
from django.contrib.auth.validators import ASCIIUsernameValidator
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import PROTECT, Q, Value
from django.db.models.functions import Lower
from django.db.models.lookups import Exact
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import validators
from accounts.models.managers import ProxyAwareHistory, UserManager
from accounts.models.names import full_name_of, patient_display
from accounts.models.searchable import SEARCH_COLUMNS, SearchablePerson
from accounts.models.sign_in import SignInMixin
from accounts.roles import ADMINS, UNVERIFIED, Gender, UserType
from config.db.constraint_errors import fields_of
from config.db.text import (
    MAX_LINE_LENGTH,
    MAX_NAME_LENGTH,
    MAX_PATIENT_TEXT_LENGTH,
    BoundedTextField,
    LineField,
    length_checks,
)
from config.db.versioning import VersionedModel

models.CharField.register_lookup(Lower)


def avatar_path(instance, filename):
    """Return a path that cannot be guessed, because pictures are public."""
    return f"avatars/{secrets.token_urlsafe(24)}.webp"


BOOKABLE_FIELDS = ["user_type", "is_active", "license_verified"]  # that `is_bookable` uses

EMAIL_LOST = _(
    "Signed in. Your e-mail address was not confirmed, and your account does not have it any more. "
    "Enter an address in your profile."
)


class User(SearchablePerson, VersionedModel, SignInMixin):
    """A user. Admins, and nobody else, are staff with full access."""

    date_joined = None  # type: ignore[assignment]  # Django's way to remove a field
    username = models.CharField(
        max_length=150,
        unique=True,
        validators=[ASCIIUsernameValidator()],
        help_text=_("Letters, digits and @.+-_ only; with an @ it must be the e-mail address."),
    )
    first_name = LineField(_("first name"), max_length=MAX_NAME_LENGTH, blank=True)
    last_name = LineField(_("last name"), max_length=MAX_NAME_LENGTH, blank=True)
    email = models.EmailField(blank=True, validators=[validators.ascii_only])
    email_verified = models.BooleanField(
        _("e-mail address confirmed"), default=False, db_default=False
    )
    email_set_at = models.DateTimeField(default=timezone.now, null=True, editable=False)
    pending_email = models.EmailField(
        _("new e-mail address"),
        blank=True,
        db_default="",
        editable=False,
        validators=[validators.ascii_only],
        help_text=_("It replaces the e-mail address when the link in the e-mail is followed."),
    )
    email_lost_at = models.DateTimeField(null=True, editable=False)
    # Staff have set the password: the account can do nothing but choose a new one.
    must_change_password = models.BooleanField(default=False, db_default=False, editable=False)
    user_type = models.CharField(max_length=10, choices=UserType, default=UserType.PATIENT)
    phone = models.CharField(max_length=32, blank=True, validators=[validators.phone])
    date_of_birth = models.DateField(null=True, blank=True, validators=[validators.date_of_birth])
    gender = models.CharField(max_length=10, choices=Gender, default=Gender.UNKNOWN)
    address = LineField(max_length=MAX_LINE_LENGTH, blank=True)
    avatar = models.ImageField(upload_to=avatar_path, null=True, blank=True, editable=False)

    # Doctors
    medical_license_number = LineField(max_length=50, blank=True)
    specialization = LineField(max_length=100, blank=True)
    license_verified = models.BooleanField(default=False)

    # Patients
    contact_email = models.EmailField(
        _("contact e-mail address"),
        blank=True,
        db_default="",
        validators=[validators.ascii_only],
        help_text=_("For letters to a patient without an own address; several may share one."),
    )
    medical_history = BoundedTextField(max_length=MAX_PATIENT_TEXT_LENGTH, blank=True)
    allergies = BoundedTextField(
        max_length=MAX_PATIENT_TEXT_LENGTH,
        blank=True,
        help_text=_("One entry each, separated by commas, semicolons or lines."),
    )
    emergency_contact = LineField(max_length=MAX_NAME_LENGTH, blank=True)
    emergency_contact_phone = models.CharField(
        max_length=32, blank=True, validators=[validators.phone]
    )
    emergency_contact_relation = LineField(max_length=50, blank=True)

    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    sessions_ended_at = models.DateTimeField(null=True, editable=False)

    _history_user: "User"

    objects: ClassVar[UserManager] = UserManager()
    history = ProxyAwareHistory(
        excluded_fields=[
            "password",
            "last_login",
            "updated_at",
            "version",
            "sessions_ended_at",
            "email_set_at",
            "email_lost_at",
            "must_change_password",
            *SEARCH_COLUMNS,
        ]
    )

    class Meta:
        ordering = ["sort_last_name", "sort_first_name", "pk"]
        constraints = [
            models.UniqueConstraint(
                Lower("username"),
                name="username_in_any_case",
                violation_error_code="unique",
                violation_error_message=_("This username is taken."),
            ),
            models.UniqueConstraint(
                Lower("email"),
                condition=~Q(email=""),
                name="email_in_any_case",
                violation_error_code="unique",
                violation_error_message=_("This e-mail address has an account already."),
            ),
            models.UniqueConstraint(
                Lower("medical_license_number"),
                condition=~Q(medical_license_number=""),
                name="one_doctor_per_license",
                violation_error_code="unique",
                violation_error_message=_("This licence number belongs to another account."),
            ),
            # Nobody may have another user's e-mail address as username.
            models.CheckConstraint(
                condition=~Q(username__contains="@") | Q(Exact(Lower("username"), Lower("email"))),
                name="username_with_at_is_the_email",
                violation_error_message=_(
                    "A username with @ must be the account's e-mail address."
                ),
            ),
            models.CheckConstraint(
                condition=Q(user_type=UserType.ADMIN, is_staff=True, is_superuser=True)
                | (~Q(user_type=UserType.ADMIN) & Q(is_staff=False, is_superuser=False)),
                name="staff_are_admins",
            ),
            *length_checks(
                "user",
                username=150,
                first_name=MAX_NAME_LENGTH,
                last_name=MAX_NAME_LENGTH,
                email=254,
                pending_email=254,
                contact_email=254,
                phone=32,
                address=MAX_LINE_LENGTH,
                medical_license_number=50,
                specialization=100,
                medical_history=MAX_PATIENT_TEXT_LENGTH,
                allergies=MAX_PATIENT_TEXT_LENGTH,
                emergency_contact=MAX_NAME_LENGTH,
                emergency_contact_phone=32,
                emergency_contact_relation=50,
            ),
        ]
        indexes = [  # a migration adds indexes for the search on PostgreSQL
            models.Index(
                fields=["user_type", "sort_last_name", "sort_first_name", "id", "is_active"],
                name="people_by_sort_name",
            ),
        ]

    def __str__(self):
        return self.display

    @property
    def full_name(self):
        return full_name_of(self.first_name, self.last_name, self.username)

    @property
    def display(self):
        """The name, with the birth and number of a patient: several may have one name."""
        if self.user_type == UserType.PATIENT:
            return patient_display(self.full_name, self.date_of_birth, self.pk)
        return self.full_name

    @property
    def unproven_email(self):
        """The address that a link still has to prove, or ""."""
        return self.pending_email or ("" if self.email_verified else self.email)

    @property
    def letter_address(self):
        """The address for letters of the clinic, or ""."""
        return self.email or self.contact_email

    @property
    def role(self):
        """The user type, or UNVERIFIED for a doctor whose licence must still be verified."""
        if (
            self.user_type == UserType.DOCTOR
            and settings.DOCTOR_VERIFICATION_REQUIRED
            and not self.license_verified
        ):
            return UNVERIFIED
        return self.user_type

    @property
    def subject_id(self):
        """The id of the patient whom this row is about (FHIR's subject); None for other users."""
        return self.pk if self.user_type == UserType.PATIENT else None

    @property
    def is_bookable(self):
        """Whether `bookable()` holds for this user."""
        return self.is_active and self.role == UserType.DOCTOR

    def has_perm(self, perm, obj=None):
        """Admins may do everything in the staff admin. The staff flags give no right."""
        return self.has_module_perms("admin")

    def has_module_perms(self, app_label):
        return self.is_active and self.role in ADMINS

    def clean(self):
        super().clean()
        self._sync_staff_flags()
        errors: dict[str, object] = {}
        if "@" in self.username and self.username.lower() != self.email.lower():
            errors["username"] = _("A username with @ must be the account's e-mail address.")
        others = User.objects.exclude(pk=self.pk)
        for field in ("username", "email", "medical_license_number"):
            value = getattr(self, field)
            if value and others.filter(**{f"{field}__lower": Lower(Value(value))}).exists():
                errors[field] = ValidationError(self.taken(field), code="unique")
        if self.user_type == UserType.DOCTOR:
            for field in ("medical_license_number", "specialization"):
                if not getattr(self, field):
                    errors[field] = ValidationError(
                        _("This field is required for a doctor."), code="required"
                    )
        if self._role_changed() and self.has_records():
            errors["user_type"] = _("The role of a user who has records cannot change.")
        if errors:
            raise ValidationError(errors)

    def _sync_staff_flags(self):
        self.is_staff = self.is_superuser = self.user_type == UserType.ADMIN

    def taken(self, field):
        """Return the message of the unique constraint for `field`."""
        constraint = next(
            one
            for one in User._meta.constraints
            if isinstance(one, models.UniqueConstraint) and field in fields_of(one)
        )
        return constraint.get_violation_error_message()

    def _role_changed(self):
        if self._state.adding:
            return False
        return User.objects.values_list("user_type", flat=True).get(pk=self.pk) != self.user_type

    def has_records(self):
        """Return whether a protected row refers to this user."""
        return any(
            relation.related_model._base_manager.filter(**{relation.field.name: self.pk}).exists()
            for relation in self._meta.related_objects
            if relation.on_delete is PROTECT
        )

    def save(self, *args, **kwargs):
        """Save; a new password also ends all sessions and the lockout."""
        self._sync_staff_flags()
        password_changed = self.has_new_password and not self._state.adding
        super().save(*args, **kwargs)
        self.has_new_password = False
        if password_changed:
            self.sessions.end()
            self.logincounter_set.all().delete()
