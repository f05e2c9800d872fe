"""The prepared queries of the lists and details of this app. See config.db.prepared."""

from django.conf import settings

from accounts.models import Doctor
from accounts.roles import UserType
from appointments import booking_rules
from appointments.booking_rules import BookingWindow
from appointments.filters import (
    AppointmentFilter,
    DoctorFilter,
    OverviewFilter,
    TimeSlotFilter,
)
from appointments.lifecycle import Priority, Status
from appointments.models import Appointment, TimeSlot, choice_order
from appointments.output import AppointmentRow, DoctorRow, TimeSlotRow
from config.api.filters import narrow, order_by
from config.db.prepared import PreparedQuery, record_of
from config.db.querysets import Viewer

APPOINTMENT_ORDER = ["-starts_at", "-pk"]
APPOINTMENT_ORDERING_FIELDS = {
    "starts_at": "starts_at",
    "created_at": "created_at",
    "status": choice_order("status", Status),
    "priority": choice_order("priority", Priority),
}
TIME_SLOT_ORDER = ["starts_at", "pk"]
DOCTOR_ORDER = ["sort_last_name", "sort_first_name", "pk"]


def _appointments(key, user_id, *arguments):
    rows = Appointment.objects.visible_to(Viewer(user_id, key.role))
    rows = narrow(rows, AppointmentFilter, key.filters, arguments)
    return rows.order_by(*order_by(key.ordering, APPOINTMENT_ORDERING_FIELDS, APPOINTMENT_ORDER))


def _appointment(role, user_id, pk):
    return Appointment.objects.visible_to(Viewer(user_id, role)).filter(pk=pk).order_by()


def _upcoming(key, user_id, now, *arguments):
    rows = Appointment.objects.visible_to(Viewer(user_id, key.role)).upcoming(now)
    return narrow(rows, OverviewFilter, key.filters, arguments).soonest_first()


def _of_day(key, user_id, start, end, *arguments):
    rows = Appointment.objects.visible_to(Viewer(user_id, key.role)).live()
    rows = narrow(rows, OverviewFilter, key.filters, arguments)
    return rows.filter(starts_at__gte=start, starts_at__lt=end).soonest_first()


def window_scope(user):
    """Return (scope, values) of the slots that the user may book now, for `window_from`."""
    window = BookingWindow.of(user)
    limits = [limit for limit in window[1:] if limit is not None]
    scope = (
        settings.DOCTOR_VERIFICATION_REQUIRED,  # Doctor.objects.bookable() depends on the setting
        window.earliest is not None,
        window.before is not None,
    )
    return scope, [window.now, *limits]


def _window_from(scope, now, values):
    """Return (BookingWindow, the values after its own)."""
    _, has_earliest, has_before = scope
    values = list(values)
    earliest = values.pop(0) if has_earliest else None
    before = values.pop(0) if has_before else None
    return BookingWindow(now, earliest, before), values


def _time_slots(key, user_id, now, *values):
    window, arguments = _window_from(key.scope, now, values)
    slots = TimeSlot.objects.visible_to(Viewer(user_id, key.role))
    if key.role == UserType.PATIENT:
        slots = booking_rules.bookable_by_patient(window, slots)
    else:
        slots = slots.with_availability(window.now)
    return narrow(slots, TimeSlotFilter, key.filters, arguments).order_by(*TIME_SLOT_ORDER)


def _free_slots(scope, doctor, start, end, now, *values):
    window, _ = _window_from(scope, now, values)
    slots = TimeSlot.objects.filter(doctor=doctor, starts_at__gte=start, starts_at__lt=end)
    return booking_rules.bookable_within(window, slots).order_by("starts_at")


def _doctors(key, user_id, now, *values):
    window, arguments = _window_from(key.scope, now, values)
    doctors = Doctor.objects.visible_to(Viewer(user_id, key.role))
    doctors = booking_rules.with_next_available(doctors, window)
    return narrow(doctors, DoctorFilter, key.filters, arguments).order_by(*DOCTOR_ORDER)


def _visible_slot(key, user_id, pk):
    role, _ = key
    return TimeSlot.objects.visible_to(Viewer(user_id, role)).filter(pk=pk).order_by()


def find_visible_slot(user, pk):
    """Return the slot if the user sees it, or None."""
    key = user.role, settings.DOCTOR_VERIFICATION_REQUIRED
    return next(iter(VISIBLE_SLOT.rows(user.pk, pk, key=key)), None)


# `consultation` selects the id of the row that refers to the appointment, or None.
APPOINTMENT_COLUMNS = [
    "consultation" if name == "consultation_pk" else name for name in AppointmentRow._fields
]

APPOINTMENTS = PreparedQuery(_appointments, columns=APPOINTMENT_COLUMNS)
APPOINTMENT = PreparedQuery(_appointment, columns=APPOINTMENT_COLUMNS)
UPCOMING = PreparedQuery(_upcoming, columns=APPOINTMENT_COLUMNS)
OF_DAY = PreparedQuery(_of_day, columns=APPOINTMENT_COLUMNS)
TIME_SLOTS = PreparedQuery(_time_slots, columns=TimeSlotRow._fields)
FREE_SLOTS = PreparedQuery(_free_slots, columns=TimeSlotRow._fields)
DOCTORS = PreparedQuery(_doctors, columns=DoctorRow._fields)
VISIBLE_SLOT = PreparedQuery(_visible_slot, record=record_of(TimeSlot))
