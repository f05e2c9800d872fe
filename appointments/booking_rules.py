"""What the clinic asks of patients who book, cancel and reschedule by themselves; staff are free.

Each rule is a setting, and none of them binds while it is 0. The services ask within their
transaction and after its locks.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db.models import OuterRef, Subquery

from accounts.roles import UserType
from appointments import clock, lifecycle
from appointments.models import Appointment, TimeSlot
from config.errors import rule_error

RULES = [
    "BOOKING_NOTICE_MINUTES",
    "BOOKING_HORIZON_DAYS",
    "CANCELLATION_NOTICE_HOURS",
    "RESCHEDULE_NOTICE_HOURS",
    "MAX_COMING_APPOINTMENTS",
]


class CutOff(NamedTuple):
    setting: str  # how many hours before the start a move closes
    code: str


CUT_OFFS = {
    "cancel": CutOff("CANCELLATION_NOTICE_HOURS", "cancellation_too_late"),
    "reschedule": CutOff("RESCHEDULE_NOTICE_HOURS", "reschedule_too_late"),
}


def check_booking(patient, slot, *, by):
    """Refusals: those of `check_time`, and `too_many_bookings`.

    Whoever asks holds the patient's lock, so that nothing is booked between the count and the
    write.
    """
    check_time(slot, by=by)
    most = settings.MAX_COMING_APPOINTMENTS
    if by.role != UserType.PATIENT or most <= 0:
        return
    if Appointment.objects.upcoming().filter(patient=patient).count() >= most:
        sentence = f"You have as many coming appointments as the clinic allows ({most})."
        raise rule_error("time_slot", sentence, "too_many_bookings")


def check_new_time(appointment, slot, *, by):
    """As `check_booking`; but an appointment that is still ahead is counted already."""
    if appointment.starts_at > clock.now():
        check_time(slot, by=by)
    else:
        check_booking(appointment.patient, slot, by=by)


def check_time(slot, *, by):
    """Refusals: `booking_too_soon`, `booking_too_far`; for a first booking and a later move alike.

    The horizon counts clinic days, and its last day is open as a whole.
    """
    if by.role != UserType.PATIENT:
        return
    closes_at = slot.starts_at - timedelta(minutes=settings.BOOKING_NOTICE_MINUTES)
    if clock.now() > closes_at:
        sentence = f"This time could be booked until {_format_time(closes_at)}."
        raise rule_error("time_slot", sentence, "booking_too_soon")
    horizon = settings.BOOKING_HORIZON_DAYS
    if 0 < horizon < (slot.date - clock.today()).days:
        opens_on = slot.date - timedelta(days=horizon)
        sentence = f"This time can be booked from {opens_on:%a %d %b %Y} on."
        raise rule_error("time_slot", sentence, "booking_too_far")


class BookingWindow(NamedTuple):
    """The starts that a user may book now; None sets no limit."""

    now: datetime
    earliest: datetime | None = None
    before: datetime | None = None

    @classmethod
    def of(cls, user):
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

    def narrow(self, slots):
        if self.earliest is not None:
            slots = slots.filter(starts_at__gte=self.earliest)
        if self.before is not None:
            slots = slots.filter(starts_at__lt=self.before)
        return slots


def bookable_by(user, slots):
    """Return the slots that are free and that `check_time` lets the user book."""
    return bookable_within(BookingWindow.of(user), slots)


def bookable_within(window, slots):
    return window.narrow(slots.free(window.now))


def bookable_by_patient(window, slots):
    """As `bookable_within`, for slots that a patient sees: their doctors can be booked."""
    return window.narrow(slots.still_bookable(window.now))


def with_next_available(doctors, window):
    """Add `next_available`: the start of the next slot that can be booked, or None."""
    slots = bookable_within(window, TimeSlot.objects.filter(doctor=OuterRef("pk")))
    slots = slots.order_by("starts_at")
    return doctors.annotate(next_available=Subquery(slots.values("starts_at")[:1]))


def check_move(appointment, action, *, by):
    """Refusals: `cancellation_too_late`, `reschedule_too_late`."""
    if closed_at := _closed_at(appointment, action, by.role, clock.now()):
        sentence = f"The last moment to {action} this appointment was {_format_time(closed_at)}."
        raise rule_error("status", sentence, CUT_OFFS[action].code)


def open_moves(appointment, *, role, now=None):
    """The moves open to a role now: those of the table, without what comes too late.

    Whoever asks of many appointments says when that is.
    """
    now = now or clock.now()
    moves = lifecycle.open_moves(
        status=appointment.status, role=role, starts_at=appointment.starts_at, now=now
    )
    if role != UserType.PATIENT:  # nothing comes too late for staff
        return moves
    return [action for action in moves if not _closed_at(appointment, action, role, now)]


def _closed_at(appointment, action, role, now):
    """The moment that was the last for this move; None while the move is open."""
    if role != UserType.PATIENT or action not in CUT_OFFS:
        return None
    hours = getattr(settings, CUT_OFFS[action].setting)
    closes_at = appointment.starts_at - timedelta(hours=hours)
    return closes_at if hours > 0 and now > closes_at else None


def _format_time(moment):
    return f"{clock.to_clinic_time(moment):%a %d %b %Y, %H:%M}"
