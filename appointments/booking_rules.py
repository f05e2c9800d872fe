"""The clinic's rules for patients who book, cancel and reschedule; staff are exempt.

Each rule is a setting; 0 switches the rule off. The services check the rules within their
transaction, after they took its locks.
"""

from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from django.conf import settings
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import Doctor, User
from accounts.roles import UserType
from appointments import clock
from appointments.models import Appointment, TimeSlot
from appointments.models.slots import TimeSlotQuerySet
from config.errors import rule_error
from patients.models import Patient

RULES = [
    "BOOKING_NOTICE_MINUTES",
    "BOOKING_HORIZON_DAYS",
    "CANCELLATION_NOTICE_HOURS",
    "RESCHEDULE_NOTICE_HOURS",
    "MAX_COMING_APPOINTMENTS",
]


class HasStart(Protocol):
    """An appointment, or its row in a list."""

    @property
    def starts_at(self) -> datetime: ...


class CutOff(NamedTuple):
    """The deadline of a move: `setting` names the hours before the start."""

    setting: str
    code: str
    sentence: str | Promise


CUT_OFFS = {
    "cancel": CutOff(
        "CANCELLATION_NOTICE_HOURS",
        "cancellation_too_late",
        _("This appointment could be cancelled until %(time)s. Call the clinic."),
    ),
    "reschedule": CutOff(
        "RESCHEDULE_NOTICE_HOURS",
        "reschedule_too_late",
        _("This appointment could be rescheduled until %(time)s. Call the clinic."),
    ),
}


DATE_FORMAT = "D d M Y"  # of django.utils.dateformat: Mon 07 Dec 2026


def check_booking(patient: Patient, slot: TimeSlot, *, by: User) -> None:
    """Check the rules for a new booking.

    Raises ValidationError with a code of check_time(), or `too_many_bookings`. The caller holds
    the lock on the patient, so that nothing is booked between the count and the write.
    """
    check_time(slot, by=by)
    limit = settings.MAX_COMING_APPOINTMENTS
    if by.role != UserType.PATIENT or limit <= 0:
        return
    if Appointment.objects.upcoming().filter(patient=patient).count() >= limit:
        sentence = _("You have as many upcoming appointments as the clinic allows (%(limit)s).")
        raise rule_error("time_slot", sentence, "too_many_bookings", limit=limit)


def check_time(slot: TimeSlot, *, by: User) -> None:
    """Check the notice and the horizon, for a booking and for rescheduling.

    Raises ValidationError with the code `booking_too_soon` or `booking_too_far`. The horizon
    counts clinic days; its last day can be booked until midnight.
    """
    if by.role != UserType.PATIENT:
        return
    closes_at = slot.starts_at - timedelta(minutes=settings.BOOKING_NOTICE_MINUTES)
    if clock.now() > closes_at:
        sentence = _("This time could be booked until %(time)s.")
        time = format_time(closes_at)
        raise rule_error("time_slot", sentence, "booking_too_soon", time=time)
    horizon = settings.BOOKING_HORIZON_DAYS
    if 0 < horizon < (slot.date - clock.today()).days:
        opens_on = date_format(slot.date - timedelta(days=horizon), DATE_FORMAT)
        sentence = _("This time can be booked from %(date)s on.")
        raise rule_error("time_slot", sentence, "booking_too_far", date=opens_on)


class BookingWindow(NamedTuple):
    """The starts that a user may book now; None sets no limit."""

    now: datetime
    earliest: datetime | None = None
    before: datetime | None = None

    @classmethod
    def of(cls, user: User) -> "BookingWindow":
        now = clock.now()
        if user.role != UserType.PATIENT:
            return cls(now)
        notice, horizon = settings.BOOKING_NOTICE_MINUTES, settings.BOOKING_HORIZON_DAYS
        last_day = clock.today() + timedelta(days=horizon)
        return cls(
            now,
            now + timedelta(minutes=notice) if notice > 0 else None,
            clock.day_bounds(last_day)[1] if horizon > 0 else None,
        )

    def narrow(self, slots: TimeSlotQuerySet) -> TimeSlotQuerySet:
        if self.earliest is not None:
            slots = slots.filter(starts_at__gte=self.earliest)
        if self.before is not None:
            slots = slots.filter(starts_at__lt=self.before)
        return slots


def bookable_by(user: User, slots: TimeSlotQuerySet) -> TimeSlotQuerySet:
    """Return the slots that are free and that `check_time` lets the user book."""
    return bookable_within(BookingWindow.of(user), slots)


def bookable_within(window: BookingWindow, slots: TimeSlotQuerySet) -> TimeSlotQuerySet:
    return window.narrow(slots.free(window.now))


def bookable_by_patient(window: BookingWindow, slots: TimeSlotQuerySet) -> TimeSlotQuerySet:
    """As `bookable_within`, for slots that a patient sees: their doctors can be booked."""
    return window.narrow(slots.still_bookable(window.now))


def with_next_available(doctors: QuerySet[Doctor], window: BookingWindow) -> QuerySet[Doctor]:
    """Add `next_available`: the start of the next slot that can be booked, or None."""
    slots = bookable_within(window, TimeSlot.objects.filter(doctor=OuterRef("pk")))
    slots = slots.order_by("starts_at")
    return doctors.annotate(next_available=Subquery(slots.values("starts_at")[:1]))


def check_move(appointment: Appointment, action: str, *, by: User) -> None:
    """Check the deadline of a move.

    Raises ValidationError with the code `cancellation_too_late` or `reschedule_too_late`.
    """
    if deadline := closed_at(appointment, action, by.role, clock.now()):
        cut_off = CUT_OFFS[action]
        time = format_time(deadline)
        raise rule_error("status", cut_off.sentence, cut_off.code, time=time)


def closed_at(appointment: HasStart, action: str, role: str, now: datetime) -> datetime | None:
    """Return the deadline of a move if it has passed; None while the move is open."""
    if role != UserType.PATIENT or action not in CUT_OFFS:
        return None
    hours = getattr(settings, CUT_OFFS[action].setting)
    closes_at = appointment.starts_at - timedelta(hours=hours)
    return closes_at if hours > 0 and now > closes_at else None


def format_time(moment: datetime) -> str:
    return date_format(clock.to_clinic_time(moment), f"{DATE_FORMAT}, H:i")
