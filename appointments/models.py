"""Time, and who holds it."""

from itertools import combinations

from django.db import models
from django.db.models import PROTECT, Case, Exists, F, OuterRef, Q, Value, When

from accounts import validators
from accounts.models import BOOKABLE_FIELDS, NAME_FIELDS, Doctor, User
from accounts.roles import UNVERIFIED, UserType
from appointments import clock
from appointments.lifecycle import UPCOMING, ConsultationType, Priority, Status
from config.db.expressions import RowByRowExists
from config.db.querysets import ALL_ROWS, ScopedQuerySet, hidden_fields
from config.db.versioning import VersionedModel
from patients.models import Patient

TRUE = Value(
    True, output_field=models.BooleanField()
)  # its field is made once, not with each query
NOT_CANCELLED = ~Q(status=Status.CANCELLED)  # what holds its slot and its patient's time


def choice_order(field, choices):
    """The place of a choice in its list, to sort by: urgent after high after medium."""
    places = [When(**{field: value}, then=Value(place)) for place, value in enumerate(choices)]
    return Case(*places, output_field=models.IntegerField())


class TimeStampedModel(models.Model):
    """When a row was made and last changed, by the clinic's clock."""

    created_at = models.DateTimeField(default=clock.now, editable=False)
    updated_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        abstract = True

    def save(self, *args, **kwargs):
        self.updated_at = clock.now()
        super().save(*args, **kwargs)


class LocalTimesMixin:
    """`starts_at` and `ends_at`, read as the clinic's clock shows them."""

    @property
    def date(self):
        return clock.to_clinic_time(self.starts_at).date()

    @property
    def start_time(self):
        return clock.to_clinic_time(self.starts_at).time()

    @property
    def end_time(self):
        return clock.to_clinic_time(self.ends_at).time()

    @property
    def duration_minutes(self):
        return int((self.ends_at - self.starts_at).total_seconds() // 60)


def overlaps(starts_at, ends_at):
    """The condition that a row shares time with the interval; touching is not sharing."""
    return Q(starts_at__lt=ends_at, ends_at__gt=starts_at)


def not_withdrawn(user):
    """All that are not withdrawn."""
    return Q(withdrawn_at=None)


def of_bookable_doctors():
    """The condition that a slot's doctor takes appointments now.

    Not by a join, for PostgreSQL takes doctors to have no more slots than other people have.
    """
    return ~Q(doctor__in=Doctor.objects.not_bookable())


def slots_of_bookable_doctors(user):
    """Those of the doctors who can be booked."""
    return Q(not_withdrawn(user), of_bookable_doctors())


def own_slots(user):
    """Their own."""
    return Q(not_withdrawn(user), doctor=user.pk)


class TimeSlotQuerySet(ScopedQuerySet):
    """A withdrawn slot is out of everyone's sight; the row stays for the history."""

    owners = {
        UserType.PATIENT: slots_of_bookable_doctors,
        UserType.DOCTOR: own_slots,
        UNVERIFIED: own_slots,
        UserType.ADMIN: not_withdrawn,
    }

    def with_names(self):
        return self.select_related_only(doctor=[*NAME_FIELDS, "specialization"])

    def with_bookable(self):
        """With what a booking looks at and shows of the doctor."""
        return self.select_related_only(doctor=[*NAME_FIELDS, *BOOKABLE_FIELDS, "specialization"])

    def overlapping(self, starts_at, ends_at):
        """Standing slots that share time with the interval."""
        return self.filter(overlaps(starts_at, ends_at), withdrawn_at=None)

    def between(self, first, last):
        """Slots on the clinic days from `first` to `last`, both included."""
        return self.filter(
            starts_at__gte=clock.start_of_day(first), starts_at__lt=clock.day_bounds(last)[1]
        )

    def free(self):
        """What can be booked now; with the `is_available` of `with_availability`."""
        return self.filter(of_bookable_doctors()).still_bookable()

    def still_bookable(self):
        """As `free`, of slots whose doctors can be booked: patients see no others."""
        return self.filter(_is_still_bookable(_is_held_in_future())).annotate(is_available=TRUE)

    def with_availability(self):
        """Adds `is_available`, which is derived and never stored."""
        is_free = Q(of_bookable_doctors(), _is_still_bookable(_is_held_in_future(RowByRowExists)))
        return self.annotate(
            is_available=Case(
                When(is_free, then=True),
                default=False,
                output_field=models.BooleanField(),
            )
        )


def _is_still_bookable(held):
    """In this order: PostgreSQL looks for who holds a slot only where the rest is true."""
    return Q(Q(starts_at__gt=clock.now(), withdrawn_at=None), ~held)


def is_held():
    """The condition that a live appointment holds the slot."""
    return Q(Exists(Appointment.objects.filter(NOT_CANCELLED, time_slot=OuterRef("pk"))))


def _is_held_in_future(asked=Exists):
    """As `is_held`, of slots that are known to lie ahead.

    Doctor and time of an appointment are its slot's, copied. By them PostgreSQL reads at once what
    a doctor has ahead, where it would look up slot by slot, each deeper the larger the clinic is.
    """
    this_month = clock.start_of_day(clock.today().replace(day=1))
    ahead = Appointment.objects.filter(NOT_CANCELLED, starts_at__gte=this_month)
    return Q(asked(ahead.filter(time_slot=OuterRef("pk"), doctor=OuterRef("doctor"))))


class TimeSlot(LocalTimesMixin, models.Model):
    """A time at which a doctor can be seen. Opened, changed and withdrawn by the services."""

    doctor = models.ForeignKey(Doctor, PROTECT, related_name="time_slots", db_index=False)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    objects = TimeSlotQuerySet.as_manager()

    class Meta:
        ordering = ["starts_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="slot_ends_after_it_starts"
            ),
            models.UniqueConstraint(
                fields=["doctor", "starts_at"],
                condition=Q(withdrawn_at=None),
                name="one_standing_slot_per_start",
                violation_error_code="slot_overlap",
                violation_error_message="The doctor has another slot at that time.",
            ),
        ]
        indexes = [
            # With what a free slot is known by: the next one is found in the index alone.
            models.Index(
                fields=["doctor", "starts_at", "id", "withdrawn_at"], name="slots_of_doctor"
            ),
            models.Index(fields=["starts_at", "id"], name="slots_by_day"),
        ]

    def __str__(self):
        return f"{self.date} {self.start_time:%H:%M}-{self.end_time:%H:%M}, {self.doctor}"


class AppointmentQuerySet(ScopedQuerySet):
    owners = {
        UserType.PATIENT: "patient",
        UserType.DOCTOR: "doctor",
        UserType.ADMIN: ALL_ROWS,
    }

    def live(self):
        return self.filter(NOT_CANCELLED)

    def overlapping(self, starts_at, ends_at):
        return self.filter(overlaps(starts_at, ends_at))

    def on(self, date):
        start, end = clock.day_bounds(date)
        return self.filter(starts_at__gte=start, starts_at__lt=end)

    def today(self):
        return self.live().on(clock.today())

    def upcoming(self):
        return self.filter(status__in=UPCOMING, starts_at__gt=clock.now())

    def soonest_first(self):
        return self.order_by("starts_at", "pk")

    def with_people(self):
        return self.select_related("patient", "doctor")

    def with_names(self):
        return self.select_related_only(
            patient=NAME_FIELDS, doctor=[*NAME_FIELDS, "specialization"]
        )

    def establishing_care_by(self, doctor):
        """Those that make `doctor` treat their patient: asked for by the patient or an admin.

        A doctor cannot give himself the sight of a record by booking.
        """
        admins = User.objects.filter(user_type=UserType.ADMIN)
        return self.live().filter(
            Q(booked_by=F("patient")) | Q(booked_by__in=admins), doctor=doctor
        )


class Appointment(LocalTimesMixin, TimeStampedModel, VersionedModel):
    """One patient's hold on one slot, whose doctor and times it copies when it claims it.

    Made by services.book(); its status and slot change only through services.move().
    """

    # Indexed in Meta, as whoever opens their list reads them.
    patient = models.ForeignKey(Patient, PROTECT, related_name="appointments", db_index=False)
    doctor = models.ForeignKey(Doctor, PROTECT, related_name="doctor_appointments", db_index=False)
    time_slot = models.ForeignKey(TimeSlot, PROTECT, related_name="appointments")
    starts_at = models.DateTimeField(editable=False)
    ends_at = models.DateTimeField(editable=False)
    status = models.CharField(max_length=20, choices=Status, default=Status.SCHEDULED)
    consultation_type = models.CharField(
        max_length=20, choices=ConsultationType, default=ConsultationType.GENERAL
    )
    priority = models.CharField(max_length=10, choices=Priority, default=Priority.MEDIUM)
    reason_for_visit = models.TextField()
    symptoms = models.TextField(blank=True)
    contact_phone = models.CharField(max_length=32, blank=True, validators=[validators.phone])
    patient_notes = models.TextField(blank=True)
    doctor_notes = models.TextField(blank=True, help_text="Never shown to the patient.")
    booked_by = models.ForeignKey(User, PROTECT, related_name="booked_appointments")

    hidden_from = {UserType.PATIENT: frozenset({"doctor_notes"})}

    objects = AppointmentQuerySet.as_manager()

    class Meta:
        ordering = ["-starts_at", "-pk"]
        constraints = [
            # The last word on double booking, whatever the code above it does.
            models.UniqueConstraint(
                fields=["time_slot"],
                condition=~Q(status=Status.CANCELLED),
                name="one_live_appointment_per_slot",
                violation_error_code="slot_taken",
                violation_error_message="This time slot is taken.",
            ),
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")), name="appointment_ends_after_it_starts"
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
                # OPEN; not as a list, of which PostgreSQL spells a restored index in another way.
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
        return f"{self.patient} with {self.doctor}, {self.date} {self.start_time:%H:%M}"

    @property
    def subject_id(self):
        """The patient this row is about."""
        return self.patient_id


class AppointmentHistoryQuerySet(ScopedQuerySet):
    """Visible with the appointment, unless the entry is about fields hidden from the reader."""

    def visible_to(self, user):
        entries = self.filter(appointment__in=Appointment.objects.visible_to(user))
        hidden = sorted(hidden_fields(Appointment, getattr(user, "role", None)))
        for number in range(1, len(hidden) + 1):
            for names in combinations(hidden, number):
                entries = entries.exclude(changes=list(names))
        return entries


class AppointmentHistory(models.Model):
    """What happened to an appointment. Written by the services, in the change's transaction."""

    appointment = models.ForeignKey(Appointment, PROTECT, related_name="history")
    action = models.CharField(max_length=20)
    from_status = models.CharField(max_length=20, blank=True, choices=Status)
    to_status = models.CharField(max_length=20, choices=Status)
    from_starts_at = models.DateTimeField(null=True, blank=True)
    to_starts_at = models.DateTimeField()
    changes = models.JSONField(default=list, help_text="Names of the fields, never their values.")
    reason = models.TextField(blank=True)
    changed_by = models.ForeignKey(User, PROTECT, related_name="appointment_changes")
    created_at = models.DateTimeField(default=clock.now)

    objects = AppointmentHistoryQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name_plural = "appointment history"

    def __str__(self):
        return f"{self.action} of appointment {self.appointment_id}"

    @property
    def subject_id(self):
        return self.appointment.patient_id

    @property
    def reference(self):
        """How the audit names it."""
        return f"appointment/{self.appointment_id}/history/{self.pk}"
