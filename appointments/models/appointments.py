"""Appointments, and the conditions that select them."""

from django.db import models
from django.db.models import PROTECT, F, OuterRef, Q, Subquery
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import validators
from accounts.models import NAME_FIELDS, Doctor, User
from accounts.roles import UserType
from appointments import clock
from appointments.lifecycle import UPCOMING, ConsultationType, Priority, Stage, Status
from appointments.models.base import NOT_CANCELLED, LocalTimesMixin, TimeStampedModel, overlaps
from config.db.querysets import ALL_ROWS, ScopedQuerySet
from config.db.text import (
    MAX_CLINICAL_TEXT_LENGTH,
    MAX_PATIENT_TEXT_LENGTH,
    BoundedTextField,
    length_checks,
)
from config.db.versioning import VersionedModel
from patients.models import Patient


class AppointmentQuerySet(ScopedQuerySet):
    readable_rows = {
        UserType.PATIENT: "patient",
        UserType.DOCTOR: "doctor",
        UserType.ADMIN: ALL_ROWS,
    }

    def live(self):
        """Appointments that are not cancelled: they hold their slot and their patient's time."""
        return self.filter(NOT_CANCELLED)

    def overlapping(self, starts_at, ends_at):
        return self.filter(overlaps(starts_at, ends_at))

    def on(self, date):
        """Appointments that start on a clinic day."""
        start, end = clock.day_bounds(date)
        return self.filter(starts_at__gte=start, starts_at__lt=end)

    def today(self):
        """Appointments of the current clinic day that are not cancelled."""
        return self.live().on(clock.today())

    def upcoming(self, now=None):
        """Appointments that are scheduled or confirmed and have not started."""
        return self.filter(status__in=UPCOMING, starts_at__gt=now or clock.now())

    def soonest_first(self):
        return self.order_by("starts_at", "pk")

    def with_people(self):
        return self.select_related("patient", "doctor").with_consultation()

    def with_names(self):
        return self.select_related_only(
            patient=NAME_FIELDS, doctor=[*NAME_FIELDS, "specialization"]
        ).with_consultation()

    def with_consultation(self):
        """Add `consultation_pk`, the id of the appointment's consultation or None."""
        same = Appointment.objects.filter(pk=OuterRef("pk")).order_by()
        return self.annotate(consultation_pk=Subquery(same.values("consultation")))

    def establishing_care_by(self, doctor):
        """Appointments that establish a care relationship between `doctor` and their patients.

        Only those that the patient or an admin booked count: doctors cannot give themselves access
        to a record by booking an appointment.
        """
        admins = User.objects.filter(user_type=UserType.ADMIN)
        return self.live().filter(
            Q(booked_by=F("patient")) | Q(booked_by__in=admins), doctor=doctor
        )


class Appointment(LocalTimesMixin, TimeStampedModel, VersionedModel):
    """A patient's booking of one slot. It copies the doctor and the times of the slot.

    services.book() creates appointments; only services.move() changes the status and the slot.
    """

    # Meta.indexes has the indexes of both foreign keys, in the order of the lists.
    patient = models.ForeignKey(Patient, PROTECT, related_name="appointments", db_index=False)
    doctor = models.ForeignKey(Doctor, PROTECT, related_name="doctor_appointments", db_index=False)
    time_slot = models.ForeignKey("TimeSlot", PROTECT, related_name="appointments")
    starts_at = models.DateTimeField(editable=False)
    ends_at = models.DateTimeField(editable=False)
    status = models.CharField(max_length=20, choices=Status, default=Status.SCHEDULED)
    # The status before the last move, and the time of that move: what `reopen` takes back. Blank
    # before the first move. services.move() copies them from the history for the lists.
    previous_status = models.CharField(
        max_length=20, choices=Status, blank=True, default="", db_default="", editable=False
    )
    status_changed_at = models.DateTimeField(null=True, blank=True, editable=False)
    # consultations.services keeps it up to date.
    consultation_stage = models.CharField(
        max_length=20, choices=Stage, blank=True, default="", db_default="", editable=False
    )
    consultation_type = models.CharField(
        max_length=20, choices=ConsultationType, default=ConsultationType.GENERAL
    )
    priority = models.CharField(max_length=10, choices=Priority, default=Priority.MEDIUM)
    reason_for_visit = BoundedTextField(max_length=MAX_PATIENT_TEXT_LENGTH)
    symptoms = BoundedTextField(max_length=MAX_PATIENT_TEXT_LENGTH, blank=True)
    contact_phone = models.CharField(max_length=32, blank=True, validators=[validators.phone])
    patient_notes = BoundedTextField(max_length=MAX_PATIENT_TEXT_LENGTH, blank=True)
    doctor_notes = BoundedTextField(
        max_length=MAX_CLINICAL_TEXT_LENGTH,
        blank=True,
        help_text=gettext_lazy("Never shown to the patient."),
    )
    booked_by = models.ForeignKey(User, PROTECT, related_name="booked_appointments")

    consultation_pk: int | None = None  # of a new appointment; see with_consultation()

    hidden_from = {UserType.PATIENT: frozenset({"doctor_notes"})}

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            # Prevents double booking also where code writes past the services.
            models.UniqueConstraint(
                fields=["time_slot"],
                condition=~Q(status=Status.CANCELLED),
                name="one_live_appointment_per_slot",
                violation_error_code="slot_taken",
                violation_error_message=gettext_lazy("This time slot is taken."),
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="appointment_ends_after_it_starts"
            ),
            *length_checks(
                "appointment",
                reason_for_visit=MAX_PATIENT_TEXT_LENGTH,
                symptoms=MAX_PATIENT_TEXT_LENGTH,
                contact_phone=32,
                patient_notes=MAX_PATIENT_TEXT_LENGTH,
                doctor_notes=MAX_CLINICAL_TEXT_LENGTH,
            ),
        ]
        indexes = [
            models.Index(fields=["doctor", "starts_at", "id"], name="appointments_of_doctor"),
            models.Index(
                fields=["doctor", "status", "starts_at", "id"], name="doctor_appointments_by_status"
            ),
            models.Index(fields=["patient", "starts_at", "id"], name="appointments_of_patient"),
            models.Index(fields=["starts_at", "id"], name="appointments_by_day"),
            models.Index(
                fields=["doctor", "starts_at", "id"],
                # UPCOMING, written with OR: after a restore PostgreSQL prints the condition of an
                # index with IN in another way.
                condition=Q(status=Status.SCHEDULED) | Q(status=Status.CONFIRMED),
                name="open_appointments_of_doctor",
            ),
            models.Index(
                fields=["doctor", "patient", "booked_by"],
                condition=NOT_CANCELLED,
                name="who_treats_whom",
            ),
            models.Index(
                fields=["doctor", "starts_at", "time_slot"],
                condition=NOT_CANCELLED,
                name="held_slots_of_doctor",
            ),
        ]

    def __str__(self):
        return _("%(patient)s with %(doctor)s, %(time)s") % {
            "patient": self.patient,
            "doctor": self.doctor,
            "time": f"{self.date} {self.start_time:%H:%M}",
        }

    @property
    def subject_id(self):
        """The id of the patient whom this row concerns."""
        return self.patient_id
