"""Consultations: the clinical record of a visit, with its versions."""

from datetime import datetime
from functools import reduce
from operator import or_

from django.contrib import admin
from django.db import models
from django.db.models import PROTECT, Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from simple_history.models import HistoricalRecords

from accounts.models import NAME_FIELDS, Doctor, User
from accounts.roles import UserType
from appointments.lifecycle import Status
from appointments.models import Appointment, TimeStampedModel
from config.db.expressions import RowByRowExists
from config.db.querysets import ALL_ROWS, ScopedQuerySet
from config.db.text import (
    MAX_CLINICAL_TEXT_LENGTH,
    MAX_REASON_LENGTH,
    BoundedTextField,
    length_checks,
)
from config.db.versioning import VersionedModel
from consultations.choices import ConsultationStatus
from patients.models import EmergencyAccess, Patient

# A consultation counts as cancelled when its appointment has one of these statuses.
DID_NOT_TAKE_PLACE = frozenset({Status.CANCELLED, Status.NO_SHOW})

COMPLETED = Q(ended_at__isnull=False)
NOT_HELD = Q(ended_at=None, appointment__status__in=DID_NOT_TAKE_PLACE)
STARTED = Q(ended_at=None, started_at__isnull=False)
STATUS_CONDITIONS = {
    ConsultationStatus.COMPLETED: COMPLETED,
    ConsultationStatus.CANCELLED: NOT_HELD,
    ConsultationStatus.IN_PROGRESS: STARTED & ~Q(appointment__status__in=DID_NOT_TAKE_PLACE),
    ConsultationStatus.SCHEDULED: Q(ended_at=None, started_at=None)
    & ~Q(appointment__status__in=DID_NOT_TAKE_PLACE),
}

LIST_LIMIT = 200  # appointments of a doctor that an IN list holds; see _of_treated_by()


def of_doctor_or_treating(doctor):
    """Their own, all those of the patients they treat, and for an hour of those in an emergency."""
    emergencies = (
        EmergencyAccess.objects.live(doctor.now).filter(doctor=doctor.pk).values("patient")
    )
    return Q(doctor=doctor.pk) | _of_treated_by(doctor) | Q(patient__in=emergencies)


def _of_treated_by(doctor):
    """Return the condition that the doctor treats the patient.

    The condition is an IN list for up to LIST_LIMIT appointments, and a correlated EXISTS beyond
    that. With EXISTS alone, PostgreSQL scans the whole table for a doctor with few patients.
    """
    treating = Appointment.objects.establishing_care_by(doctor.pk).order_by("patient")
    listed = Q(patient__in=treating.values("patient")[:LIST_LIMIT])
    same_patient = treating.filter(patient=OuterRef("patient"))
    return listed | Q(Exists(treating[LIST_LIMIT:]) & RowByRowExists(same_patient))


def status_of(started_at, ended_at, appointment_status):
    """Return the derived status of a consultation; the last argument is None for a walk-in."""
    if ended_at:
        return ConsultationStatus.COMPLETED
    if appointment_status in DID_NOT_TAKE_PLACE:
        return ConsultationStatus.CANCELLED
    return ConsultationStatus.IN_PROGRESS if started_at else ConsultationStatus.SCHEDULED


def duration_of(started_at, ended_at):
    """Return the whole minutes from start to end, or None until both are known."""
    if not (started_at and ended_at):
        return None
    return int((ended_at - started_at).total_seconds() // 60)


class ConsultationQuerySet(ScopedQuerySet):
    readable_rows = {
        UserType.PATIENT: "patient",
        UserType.DOCTOR: of_doctor_or_treating,
        UserType.ADMIN: ALL_ROWS,
    }
    writable_rows = {UserType.DOCTOR: "doctor", UserType.ADMIN: ALL_ROWS}

    def with_people(self):
        return self.select_related("patient", "doctor", "appointment")

    def with_names(self):
        return self.select_related_only(
            patient=NAME_FIELDS, doctor=NAME_FIELDS, appointment=["status"]
        )

    def with_status(self, *statuses):
        """Consultations with one of these derived statuses."""
        return self.filter(reduce(or_, (STATUS_CONDITIONS[status] for status in statuses)))

    def with_day(self):
        """Add `took_place_at`: the actual start, else the planned start, else the creation."""
        return self.annotate(
            took_place_at=Coalesce("started_at", "appointment__starts_at", "created_at")
        )


class Consultation(TimeStampedModel, VersionedModel):
    """The clinical record of one visit. The status is derived; services set start and end."""

    _history_user: User
    _history_date: datetime

    appointment = models.OneToOneField(
        Appointment, PROTECT, null=True, blank=True, related_name="consultation"
    )
    patient = models.ForeignKey(Patient, PROTECT, related_name="consultations", db_index=False)
    doctor = models.ForeignKey(Doctor, PROTECT, related_name="doctor_consultations", db_index=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    chief_complaint = BoundedTextField(max_length=MAX_CLINICAL_TEXT_LENGTH)
    history_of_present_illness = BoundedTextField(max_length=MAX_CLINICAL_TEXT_LENGTH, blank=True)
    physical_examination = BoundedTextField(max_length=MAX_CLINICAL_TEXT_LENGTH, blank=True)
    assessment = BoundedTextField(max_length=MAX_CLINICAL_TEXT_LENGTH, blank=True)
    diagnosis = BoundedTextField(max_length=MAX_CLINICAL_TEXT_LENGTH, blank=True)
    treatment_plan = BoundedTextField(max_length=MAX_CLINICAL_TEXT_LENGTH, blank=True)
    follow_up_instructions = BoundedTextField(max_length=MAX_CLINICAL_TEXT_LENGTH, blank=True)
    follow_up_date = models.DateField(null=True, blank=True)
    doctor_notes = BoundedTextField(
        max_length=MAX_CLINICAL_TEXT_LENGTH,
        blank=True,
        help_text=gettext_lazy("Never shown to the patient."),
    )
    reopen_reason = BoundedTextField(
        max_length=MAX_REASON_LENGTH,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text=gettext_lazy("Why it was last reopened after it was completed."),
    )

    hidden_from = {UserType.PATIENT: frozenset({"doctor_notes"})}

    objects = ConsultationQuerySet.as_manager()
    history = HistoricalRecords(excluded_fields=["updated_at", "version"])

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(started_at=None) | Q(ended_at__gte=F("started_at")),
                name="consultation_ends_after_it_starts",
            ),
            *length_checks(
                "consultation",
                chief_complaint=MAX_CLINICAL_TEXT_LENGTH,
                history_of_present_illness=MAX_CLINICAL_TEXT_LENGTH,
                physical_examination=MAX_CLINICAL_TEXT_LENGTH,
                assessment=MAX_CLINICAL_TEXT_LENGTH,
                diagnosis=MAX_CLINICAL_TEXT_LENGTH,
                treatment_plan=MAX_CLINICAL_TEXT_LENGTH,
                follow_up_instructions=MAX_CLINICAL_TEXT_LENGTH,
                doctor_notes=MAX_CLINICAL_TEXT_LENGTH,
                reopen_reason=MAX_REASON_LENGTH,
            ),
        ]
        indexes = [
            models.Index(fields=["doctor", "created_at", "id"], name="consultations_of_doctor"),
            models.Index(fields=["patient", "created_at", "id"], name="consultations_of_patient"),
            models.Index(
                fields=["created_at", "id", "doctor", "patient"], name="consultations_by_time"
            ),
        ]

    def __str__(self):
        return _("Consultation %(number)s: %(patient)s with %(doctor)s") % {
            "number": self.pk,
            "patient": self.patient,
            "doctor": self.doctor,
        }

    @property
    def subject_id(self):
        return self.patient_id

    @property
    def status(self):
        appointment_status = self.appointment and self.appointment.status
        return status_of(self.started_at, self.ended_at, appointment_status)

    @property
    def is_closed(self):
        return self.ended_at is not None

    @property
    @admin.display(description=gettext_lazy("duration in minutes"))
    def duration_minutes(self):
        return duration_of(self.started_at, self.ended_at)
