"""What happened in the room: the consultation and its parts, each with its versions."""

from datetime import datetime
from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import PROTECT, Exists, F, OuterRef, Q
from django.db.models.functions import Coalesce
from simple_history.models import HistoricalRecords

from accounts.models import NAME_FIELDS, Doctor, User
from accounts.roles import UserType
from appointments import clock
from appointments.lifecycle import Status
from appointments.models import Appointment, TimeStampedModel
from config.db.expressions import RowByRowExists
from config.db.querysets import ALL_ROWS, ScopedQuerySet
from config.db.versioning import VersionedModel
from consultations.choices import ConsultationStatus, MedicationType, NoteType
from patients.models import EmergencyAccess, Patient

# An appointment that did not take place takes its consultation with it.
DID_NOT_TAKE_PLACE = frozenset({Status.CANCELLED, Status.NO_SHOW})

COMPLETED = Q(ended_at__isnull=False)
NOT_HELD = Q(ended_at=None, appointment__status__in=DID_NOT_TAKE_PLACE)
UNDER_WAY = Q(ended_at=None, started_at__isnull=False)
HAVING_STATUS = {
    ConsultationStatus.COMPLETED: COMPLETED,
    ConsultationStatus.CANCELLED: NOT_HELD,
    ConsultationStatus.IN_PROGRESS: UNDER_WAY & ~Q(appointment__status__in=DID_NOT_TAKE_PLACE),
    ConsultationStatus.SCHEDULED: Q(ended_at=None, started_at=None)
    & ~Q(appointment__status__in=DID_NOT_TAKE_PLACE),
}


LIST_LIMIT = 200  # appointments of a doctor, which are soon listed


def of_doctor_or_treating(doctor):
    """Their own, all those of the patients they treat, and for an hour of those in an emergency."""
    emergencies = (
        EmergencyAccess.objects.live(doctor.now).filter(doctor=doctor.pk).values("patient")
    )
    return Q(doctor=doctor.pk) | _of_treated_by(doctor) | Q(patient__in=emergencies)


def _of_treated_by(doctor):
    """By a short list; the rows are asked for others only where the list leaves some out.

    Whoever treats few would have every row of the clinic asked until a page is full.
    """
    treating = Appointment.objects.establishing_care_by(doctor.pk).order_by("patient")
    listed = Q(patient__in=treating.values("patient")[:LIST_LIMIT])
    of_them = treating.filter(patient=OuterRef("patient"))
    return listed | Q(Exists(treating[LIST_LIMIT:]) & RowByRowExists(of_them))


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
    owners = {
        UserType.PATIENT: "patient",
        UserType.DOCTOR: of_doctor_or_treating,
        UserType.ADMIN: ALL_ROWS,
    }
    writers = {UserType.DOCTOR: "doctor", UserType.ADMIN: ALL_ROWS}

    def with_people(self):
        return self.select_related("patient", "doctor", "appointment")

    def with_names(self):
        return self.select_related_only(
            patient=NAME_FIELDS, doctor=NAME_FIELDS, appointment=["status"]
        )

    def with_status(self, status):
        """Those whose derived status it is."""
        return self.filter(HAVING_STATUS[status])

    def with_day(self):
        """Adds `took_place_at`: when it began, was to begin, or was written."""
        return self.annotate(
            took_place_at=Coalesce("started_at", "appointment__starts_at", "created_at")
        )


class Consultation(TimeStampedModel, VersionedModel):
    """One visit's clinical record. Its status is derived; its stamps are set by the services."""

    _history_user: User
    _history_date: datetime

    appointment = models.OneToOneField(
        Appointment, PROTECT, null=True, blank=True, related_name="consultation"
    )
    patient = models.ForeignKey(Patient, PROTECT, related_name="consultations", db_index=False)
    doctor = models.ForeignKey(Doctor, PROTECT, related_name="doctor_consultations", db_index=False)
    started_at = models.DateTimeField(null=True, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True, editable=False)
    chief_complaint = models.TextField()
    history_of_present_illness = models.TextField(blank=True)
    physical_examination = models.TextField(blank=True)
    assessment = models.TextField(blank=True)
    diagnosis = models.TextField(blank=True)
    treatment_plan = models.TextField(blank=True)
    follow_up_instructions = models.TextField(blank=True)
    follow_up_date = models.DateField(null=True, blank=True)
    doctor_notes = models.TextField(blank=True, help_text="Never shown to the patient.")

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
        ]
        indexes = [
            models.Index(fields=["doctor", "created_at", "id"], name="consultations_of_doctor"),
            models.Index(fields=["patient", "created_at", "id"], name="consultations_of_patient"),
            models.Index(
                fields=["created_at", "id", "doctor", "patient"], name="consultations_by_time"
            ),
        ]

    def __str__(self):
        return f"Consultation {self.pk}: {self.patient} with {self.doctor}"

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
    def duration_minutes(self):
        return duration_of(self.started_at, self.ended_at)


class ConsultationPart(models.Model):
    """What belongs to a consultation, and so to its patient."""

    consultation: "models.ForeignKey[Consultation, Consultation]"
    consultation_id: int
    _history_user: User
    _history_date: datetime

    class Meta:
        abstract = True

    @property
    def subject_id(self):
        return self.consultation.patient_id

    @property
    def reference(self):
        """How the audit names it."""
        return f"consultation/{self.consultation_id}/{self._meta.model_name}/{self.pk}"


class ConsultationPartQuerySet(ScopedQuerySet):
    """A part is in sight where its consultation is."""

    def visible_to(self, user):
        return self.filter(consultation__in=Consultation.objects.visible_to(user))

    def writable_by(self, user):
        return self.filter(consultation__in=Consultation.objects.writable_by(user))


def between(lowest, highest):
    """Limits of a measurement, as api.md gives them: a slip of the pen lies outside."""
    return [MinValueValidator(Decimal(lowest)), MaxValueValidator(Decimal(highest))]


def measurement(lowest, highest, digits=None):
    """An optional whole number, or a decimal of `digits` with one decimal place."""
    limits = {"null": True, "blank": True, "validators": between(lowest, highest)}
    if digits is None:
        return models.PositiveSmallIntegerField(**limits)
    return models.DecimalField(max_digits=digits, decimal_places=1, **limits)


class VitalSigns(ConsultationPart):
    """Measurements taken together: mmHg, beats and breaths a minute, °C, %, kg, cm."""

    consultation = models.ForeignKey(Consultation, PROTECT, related_name="vital_signs")
    systolic_bp = measurement("40", "300")
    diastolic_bp = measurement("20", "200")
    heart_rate = measurement("20", "300")
    temperature = measurement("25", "45", digits=3)
    respiratory_rate = measurement("2", "80")
    oxygen_saturation = measurement("30", "100")
    weight = measurement("0.3", "500", digits=4)
    height = measurement("20", "260", digits=4)
    recorded_by = models.ForeignKey(User, PROTECT, related_name="recorded_vital_signs")
    recorded_at = models.DateTimeField(default=clock.now, editable=False)

    objects = ConsultationPartQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "vital signs"
        constraints = [
            models.CheckConstraint(
                condition=Q(systolic_bp=None)
                | Q(diastolic_bp=None)
                | Q(diastolic_bp__lt=F("systolic_bp")),
                name="diastolic_below_systolic",
                violation_error_message="The diastolic pressure lies below the systolic.",
            ),
        ]

    def __str__(self):
        return f"Vital signs {self.pk} of consultation {self.consultation_id}"

    @property
    def bmi(self):
        """Body mass index in kg/m², to one decimal; None without weight and height."""
        if not (self.weight and self.height):
            return None
        metres = Decimal(self.height) / 100
        return round(Decimal(self.weight) / metres**2, 1)


class Prescription(ConsultationPart):
    """A medication as prescribed. Only `is_active` changes afterwards."""

    consultation = models.ForeignKey(Consultation, PROTECT, related_name="prescriptions")
    medication_name = models.CharField(max_length=200)
    dosage = models.CharField(max_length=100)
    frequency = models.CharField(max_length=100)
    duration = models.CharField(max_length=100)
    instructions = models.TextField(blank=True)
    medication_type = models.CharField(
        max_length=20, choices=MedicationType, default=MedicationType.TABLET
    )
    quantity = models.PositiveIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(100_000)]
    )
    is_active = models.BooleanField(default=True)
    override_reason = models.TextField(
        blank=True, help_text="Why it was prescribed against a listed allergy."
    )
    prescribed_by = models.ForeignKey(User, PROTECT, related_name="prescribed")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = ConsultationPartQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        ordering = ["pk"]

    def __str__(self):
        return f"{self.medication_name} {self.dosage}"


class ConsultationNoteQuerySet(ConsultationPartQuerySet):
    """A note is in sight where its consultation is, a private one never to the patient."""

    def visible_to(self, user):
        return super().visible_to(user).readable_by(user)

    def readable_by(self, user):
        """Those of consultations already in sight that this reader may read."""
        hidden = ConsultationNote.hidden_rows.get(getattr(user, "role", None))
        return self if hidden is None else self.filter(~hidden)


class ConsultationNote(ConsultationPart):
    consultation = models.ForeignKey(Consultation, PROTECT, related_name="notes")
    note_type = models.CharField(max_length=20, choices=NoteType)
    title = models.CharField(max_length=200, blank=True)
    content = models.TextField()
    is_private = models.BooleanField(default=False, help_text="Never shown to the patient.")
    created_by = models.ForeignKey(User, PROTECT, related_name="written_notes")
    created_at = models.DateTimeField(default=clock.now, editable=False)

    hidden_rows: dict[str | None, Q] = {UserType.PATIENT: Q(is_private=True)}

    objects = ConsultationNoteQuerySet.as_manager()
    history = HistoricalRecords()

    class Meta:
        ordering = ["pk"]

    def __str__(self):
        return self.title or f"{self.get_note_type_display()} note"
