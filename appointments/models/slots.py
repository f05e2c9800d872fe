"""Time slots, and the conditions that make a slot available."""

from django.db import models
from django.db.models import PROTECT, Case, Exists, F, OuterRef, Q, Value, When
from django.utils.translation import gettext_lazy as _

from accounts.models import BOOKABLE_FIELDS, NAME_FIELDS, Doctor
from accounts.roles import UNVERIFIED, UserType
from appointments import clock
from appointments.models.appointments import Appointment
from appointments.models.base import NOT_CANCELLED, LocalTimesMixin, overlaps
from config.db.expressions import RowByRowExists
from config.db.querysets import ScopedQuerySet

# A module constant, because building the output field for each query costs time.
TRUE = Value(True, output_field=models.BooleanField())


def not_withdrawn(user):
    """All that are not withdrawn."""
    return Q(withdrawn_at=None)


def of_bookable_doctors():
    """Return the condition that the doctor of a slot can be booked now.

    A subquery and not a join: with a join, PostgreSQL estimates as many slots for a doctor as for
    any other user, and chooses a slow plan.
    """
    return ~Q(doctor__in=Doctor.objects.not_bookable())


def slots_of_bookable_doctors(user):
    """Those of the doctors who can be booked."""
    return Q(not_withdrawn(user), of_bookable_doctors())


def own_slots(user):
    """Their own."""
    return Q(not_withdrawn(user), doctor=user.pk)


class TimeSlotQuerySet(ScopedQuerySet):
    """Nobody sees a withdrawn slot; the row is kept for the history of its appointments."""

    readable_rows = {
        UserType.PATIENT: slots_of_bookable_doctors,
        UserType.DOCTOR: own_slots,
        UNVERIFIED: own_slots,
        UserType.ADMIN: not_withdrawn,
    }

    def with_names(self):
        return self.select_related_only(doctor=[*NAME_FIELDS, "specialization"])

    def with_bookable(self):
        """Join the doctor's fields that a booking checks and shows."""
        return self.select_related_only(doctor=[*NAME_FIELDS, *BOOKABLE_FIELDS, "specialization"])

    def overlapping(self, starts_at, ends_at):
        """Slots that are not withdrawn and overlap the interval."""
        return self.filter(overlaps(starts_at, ends_at), withdrawn_at=None)

    def between(self, first, last):
        """Slots on the clinic days from `first` to `last`, both included."""
        return self.filter(
            starts_at__gte=clock.start_of_day(first), starts_at__lt=clock.day_bounds(last)[1]
        )

    def free(self, now=None):
        """Slots that can be booked now, with `is_available` as in `with_availability`."""
        return self.filter(of_bookable_doctors()).still_bookable(now)

    def still_bookable(self, now=None):
        """Free slots, where the caller knows that the doctors can be booked.

        Patients see only the slots of such doctors.
        """
        return self.filter(_is_still_bookable(now or clock.now())).annotate(is_available=TRUE)

    def with_availability(self, now=None):
        """Add `is_available`, which is derived and never stored."""
        still_bookable = _is_still_bookable(now or clock.now(), RowByRowExists)
        is_free = Q(of_bookable_doctors(), still_bookable)
        return self.annotate(
            is_available=Case(
                When(is_free, then=True),
                default=False,
                output_field=models.BooleanField(),
            )
        )


def _is_still_bookable(now, exists=Exists):
    """Return the condition that a slot is in the future, not withdrawn and not held.

    PostgreSQL evaluates the conditions in this order, so that it looks for an appointment only
    where the cheap conditions are true.
    """
    return Q(Q(starts_at__gt=now, withdrawn_at=None), ~_is_held_after(now, exists))


def is_held():
    """Return the condition that an appointment which is not cancelled holds the slot."""
    return Q(Exists(Appointment.objects.filter(NOT_CANCELLED, time_slot=OuterRef("pk"))))


def _is_held_after(now, exists):
    """As `is_held`, for slots that are known to start after `now`.

    An appointment copies doctor and start of its slot. With these two columns PostgreSQL reads a
    doctor's future appointments in one index scan; without them it looks up every slot, and each
    look-up is slower the more appointments the clinic has.
    """
    future = Appointment.objects.filter(NOT_CANCELLED, starts_at__gt=now)
    return Q(exists(future.filter(time_slot=OuterRef("pk"), doctor=OuterRef("doctor"))))


class TimeSlot(LocalTimesMixin, models.Model):
    """A time at which a doctor can see a patient.

    slot_services opens, changes and withdraws slots.
    """

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
                violation_error_message=_("The doctor has another slot at that time."),
            ),
        ]
        indexes = [
            # Includes every column that identifies a free slot: the next free slot is found by an
            # index-only scan.
            models.Index(
                fields=["doctor", "starts_at", "id", "withdrawn_at"], name="slots_of_doctor"
            ),
            models.Index(fields=["starts_at", "id"], name="slots_by_day"),
        ]

    def __str__(self):
        return f"{self.date} {self.start_time:%H:%M}-{self.end_time:%H:%M}, {self.doctor}"
