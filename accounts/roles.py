"""Who people are, and the groups that the rules speak of."""

from django.db.models import TextChoices


class UserType(TextChoices):
    DOCTOR = "doctor"
    PATIENT = "patient"
    ADMIN = "admin"


class Gender(TextChoices):
    MALE = "male"
    FEMALE = "female"
    OTHER = "other"
    UNKNOWN = "unknown"


# A doctor whose licence must be verified and is not: a role of its own, so that a table that does
# not name it has refused it.
UNVERIFIED = "unverified_doctor"

PATIENTS = frozenset({UserType.PATIENT.value})
DOCTORS = frozenset({UserType.DOCTOR.value})
ADMINS = frozenset({UserType.ADMIN.value})
CLINICIANS = DOCTORS | ADMINS
EVERYONE = PATIENTS | CLINICIANS
UNVERIFIED_DOCTORS = frozenset({UNVERIFIED})
SIGNED_IN = EVERYONE | UNVERIFIED_DOCTORS
NOBODY = frozenset()
ANYONE = "anyone"  # strangers too
