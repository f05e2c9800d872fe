"""Requests of the booking races, and checks made after a race. See appointments.tests.race."""

from datetime import timedelta

from django.db import connection
from django.db.models import Count
from rest_framework.test import APIClient

from accounts.auth.sessions import open_session
from accounts.tests.factories import AdminFactory, DoctorFactory
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.tests.factories import (
    TimeSlotFactory,
    make_appointment,
    make_appointment_of_today,
    noon,
)
from consultations.models import Consultation
from patients.tests.factories import PatientFactory

NO_PASSWORD = {"password": None}  # password hashing is slow and nobody signs in here
BOOKINGS, SLOTS = "/api/appointments/", "/api/time-slots/"
CONSULTATIONS = "/api/consultations/"


def post_as(call):
    """Sends one request; returns (status, error code), where the code is None on success."""
    token, path, body = call
    client = APIClient(SERVER_NAME="localhost", HTTP_AUTHORIZATION=f"Bearer {token}")
    try:
        response = client.post(path, body)
    finally:
        connection.close()
    return response.status_code, response.json().get("code")


def bookings_of_one_slot():
    slot = TimeSlotFactory(doctor=_doctor())
    return [(_token(patient), BOOKINGS, _booking(slot)) for patient in _patients(8)]


def overlapping_bookings_of_one_patient():
    [patient] = _patients(1)
    start = noon()
    slots = [
        _slot(_doctor(), start),
        _slot(_doctor(), start + timedelta(minutes=15)),
    ]
    return [(_token(patient), BOOKINGS, _booking(slot)) for slot in slots]


def overlapping_slots_of_one_doctor():
    doctor = _doctor()
    body = {"date": noon(2).date().isoformat()}
    times = [("09:00", "09:30"), ("09:15", "09:45")]
    return [
        (_token(doctor), SLOTS, body | {"start_time": start, "end_time": end})
        for start, end in times
    ]


def reschedules_to_one_slot():
    doctor = _doctor()
    slot = _slot(doctor, noon(3))
    appointments = [
        make_appointment(patient=patient, time_slot=_slot(doctor, noon(4 + n)))
        for n, patient in enumerate(_patients(8))
    ]
    return [
        (_token(one.patient), f"{BOOKINGS}{one.pk}/reschedule/", {"time_slot": slot.pk})
        for one in appointments
    ]


def completions_and_cancellations():
    doctor, admin = _doctor(), AdminFactory(**NO_PASSWORD)
    [patient] = _patients(1)
    appointment = make_appointment_of_today(doctor=doctor, patient=patient)
    path = f"{BOOKINGS}{appointment.pk}/"
    return [(_token(doctor), f"{path}complete/", {}), (_token(admin), f"{path}cancel/", {})] * 4


def conflicting_transitions():
    """Four reschedules, each to its own slot, and two completions and two cancellations.

    The visit has begun, so its doctor and an admin make them. Once the visit is rescheduled, it
    cannot be completed: its day has not come.
    """
    doctor, admin = _doctor(), AdminFactory(**NO_PASSWORD)
    [patient] = _patients(1)
    appointment = make_appointment_of_today(doctor=doctor, patient=patient)
    path = f"{BOOKINGS}{appointment.pk}/"
    slots = [_slot(doctor, noon(2 + n)) for n in range(4)]
    moves = [
        (_token(by), f"{path}reschedule/", {"time_slot": slot.pk})
        for by, slot in zip([doctor, admin] * 2, slots, strict=True)
    ]
    ends = [
        (_token(doctor), f"{path}complete/", {}),
        (_token(doctor), f"{path}cancel/", {}),
        (_token(admin), f"{path}complete/", {}),
        (_token(admin), f"{path}cancel/", {}),
    ]
    return moves + ends


def reopening_and_bookings_of_the_freed_slot():
    """One reopening of a cancelled appointment, and seven bookings of its slot by others."""
    doctor = _doctor()
    cancelled, *others = _patients(8)
    appointment = make_appointment("cancelled", patient=cancelled, time_slot=_slot(doctor, noon()))
    slot = appointment.time_slot
    reopening = (_token(doctor), f"{BOOKINGS}{appointment.pk}/reopen/", {"reason": "A slip"})
    return [reopening, *((_token(one), BOOKINGS, _booking(slot)) for one in others)]


def reopening_and_booking():
    """A reopening, and one booking of the freed slot or of its time by the same patient."""
    doctor = _doctor()
    [patient, other] = _patients(2)
    slot = _slot(doctor, noon())
    appointment = make_appointment("cancelled", patient=patient, time_slot=slot)
    reopening = (_token(doctor), f"{BOOKINGS}{appointment.pk}/reopen/", {"reason": "A slip"})
    if appointment.pk % 2:
        return [reopening, (_token(other), BOOKINGS, _booking(slot))]
    overlapping = _slot(_doctor(), slot.starts_at + timedelta(minutes=15))
    return [reopening, (_token(patient), BOOKINGS, _booking(overlapping))]


def consultations_of_one_appointment():
    doctor, admin = _doctor(), AdminFactory(**NO_PASSWORD)
    [patient] = _patients(1)
    appointment = make_appointment(patient=patient, time_slot=_slot(doctor, noon()))
    body = {"appointment": appointment.pk}
    return [(_token(by), CONSULTATIONS, body) for by in (doctor, admin)] * 4


def row_counts():
    """Returns the numbers of (appointments, live appointments, slots, history entries)."""
    return (
        Appointment.objects.count(),
        Appointment.objects.live().count(),
        TimeSlot.objects.count(),
        AppointmentHistory.objects.count(),
    )


def double_bookings():
    """Returns slots held twice, and slots of one doctor that overlap."""
    held = Appointment.objects.live().values("time_slot").annotate(number=Count("pk"))
    overlapping = [
        slot.pk
        for slot in TimeSlot.objects.all()
        if slot.doctor.time_slots.overlapping(slot.starts_at, slot.ends_at).count() > 1
    ]
    return list(held.filter(number__gt=1)), overlapping


def inconsistent_appointments():
    """Returns appointments that contradict their slot or their latest history entry."""
    return [
        appointment.pk
        for appointment in Appointment.objects.select_related("time_slot")
        for slot, last in [(appointment.time_slot, appointment.history.last())]
        if (appointment.doctor_id, appointment.starts_at, appointment.ends_at)
        != (slot.doctor_id, slot.starts_at, slot.ends_at)
        or (appointment.status, appointment.starts_at) != (last.to_status, last.to_starts_at)
    ]


def latest_appointment_actions():
    """Returns the history of the newest appointment, oldest entry first."""
    return list(Appointment.objects.latest("pk").history.values_list("action", flat=True))


def latest_appointment_consultation_count():
    return Consultation.objects.filter(appointment=Appointment.objects.latest("pk")).count()


def _booking(slot):
    return {"time_slot": slot.pk, "reason_for_visit": "A cough"}


def _doctor():
    return DoctorFactory(**NO_PASSWORD)


def _patients(number):
    return PatientFactory.create_batch(number, **NO_PASSWORD)


def _slot(doctor, starts_at):
    ends_at = starts_at + timedelta(minutes=30)
    return TimeSlotFactory(doctor=doctor, starts_at=starts_at, ends_at=ends_at)


def _token(person):
    return open_session(person)["access"]
