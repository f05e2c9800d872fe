"""Patients, and the emergency access of doctors to their records."""

from typing import ClassVar

from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models import PROTECT, Q
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThanOrEqual
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts import validators
from accounts.models import Doctor, User, UserManager
from accounts.roles import UserType
from config.db.querysets import ALL_ROWS, ScopedQuerySet
from config.db.text import MAX_REASON_LENGTH, BoundedTextField, length_checks

MIN_REASON_LENGTH = 10  # visible characters


class ReviewOutcome(models.TextChoices):
    """What an admin found about an emergency access."""

    JUSTIFIED = "justified", _("Justified")
    UNJUSTIFIED = "unjustified", _("Not justified")


def own_record(user):
    """Their own, while it is open."""
    return active_records(user) & Q(pk=user.pk)


def active_records(user):
    """All that are open."""
    return Q(is_active=True)


class PatientQuerySet(ScopedQuerySet):
    """Verified doctors and admins see all active patients; patients see their own record."""

    readable_rows = {
        UserType.PATIENT: own_record,
        UserType.DOCTOR: active_records,
        UserType.ADMIN: active_records,
    }


class PatientManager(UserManager.from_queryset(PatientQuerySet)):  # type: ignore[misc]  # made at run time
    def get_queryset(self):
        return super().get_queryset().filter(user_type=UserType.PATIENT)


class Patient(User):
    """A user who is a patient, with the fields of the patient's record."""

    objects: ClassVar[PatientManager] = PatientManager()

    class Meta:
        proxy = True


class EmergencyAccessQuerySet(ScopedQuerySet):
    readable_rows = {
        UserType.PATIENT: "patient",
        UserType.DOCTOR: "doctor",
        UserType.ADMIN: ALL_ROWS,
    }
    writable_rows = {}

    def live(self, now=None):
        """Accesses that have not expired at `now`, by default the current time."""
        return self.filter(expires_at__gt=now or timezone.now())

    def to_review(self):
        """Accesses that no admin has reviewed."""
        return self.filter(reviewed_at=None)


class EmergencyAccess(models.Model):
    """Permission for a doctor to read the record of a patient whom they do not treat.

    emergency_access.py creates the row, and notes its review; nothing else changes it.
    """

    patient = models.ForeignKey(Patient, PROTECT, related_name="emergency_accesses", db_index=False)
    doctor = models.ForeignKey(
        Doctor, PROTECT, related_name="emergency_accesses_of_doctor", db_index=False
    )
    reason = BoundedTextField(
        max_length=MAX_REASON_LENGTH,
        validators=[
            MinLengthValidator(MIN_REASON_LENGTH),
            validators.MinVisibleLength(MIN_REASON_LENGTH),
        ],
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    reviewed_by = models.ForeignKey(
        User, PROTECT, null=True, blank=True, related_name="reviewed_accesses", db_index=False
    )
    reviewed_at = models.DateTimeField(null=True, blank=True, editable=False)
    outcome = models.CharField(max_length=20, blank=True, choices=ReviewOutcome, db_default="")

    objects = EmergencyAccessQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name_plural = _("emergency access")
        constraints = [
            models.CheckConstraint(
                condition=GreaterThanOrEqual(Length("reason"), MIN_REASON_LENGTH),
                name="emergency_access_has_a_reason",
                violation_error_message=_("Say why, in ten characters or more."),
            ),
            *length_checks("emergency_access", reason=MAX_REASON_LENGTH),
            models.CheckConstraint(
                condition=Q(reviewed_at=None, reviewed_by=None, outcome="")
                | (Q(reviewed_at__isnull=False, reviewed_by__isnull=False) & ~Q(outcome="")),
                name="emergency_review_is_complete",
            ),
        ]
        indexes = [
            models.Index(fields=["doctor", "patient", "expires_at"], name="emergency_of_doctor"),
            models.Index(fields=["patient", "created_at", "id"], name="emergency_of_patient"),
        ]

    def __str__(self):
        return _("%(doctor)s to the record of %(patient)s, %(time)s") % {
            "doctor": self.doctor,
            "patient": self.patient,
            "time": f"{self.created_at:%Y-%m-%d %H:%M}",
        }

    @property
    def subject_id(self):
        return self.patient_id
