"""User types, roles and the groups of roles that the permission tables use."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class UserType(TextChoices):
    DOCTOR = "doctor", _("Doctor")
    PATIENT = "patient", _("Patient")
    ADMIN = "admin", _("Admin")


class Gender(TextChoices):
    MALE = "male", _("Male")
    FEMALE = "female", _("Female")
    OTHER = "other", _("Other")
    UNKNOWN = "unknown", _("Unknown")


# The role of a doctor whose licence must still be verified. Tables that do not name it refuse it.
UNVERIFIED = "unverified_doctor"

PATIENTS = frozenset({UserType.PATIENT.value})
DOCTORS = frozenset({UserType.DOCTOR.value})
ADMINS = frozenset({UserType.ADMIN.value})
CLINICIANS = DOCTORS | ADMINS
EVERYONE = PATIENTS | CLINICIANS
UNVERIFIED_DOCTORS = frozenset({UNVERIFIED})
SIGNED_IN = EVERYONE | UNVERIFIED_DOCTORS
NOBODY: frozenset[str] = frozenset()
ANYONE = "anyone"  # without sign-in too
