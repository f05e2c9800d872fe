"""Anonymising ends what is open, and nothing about the patient can be written afterwards."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from accounts import services as accounts
from accounts.tests.factories import AdminFactory
from appointments import clock
from appointments import services as appointments
from appointments.lifecycle import MOVES, Status
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import (
    TimeSlotFactory,
    make_appointment,
    make_appointment_of_today,
)
from appointments.tests.helpers import all_rows, status_and_code
from config.clinical_records import clinical_records
from config.tests.lock_waiting import requires_row_locks, run_behind_lock
from consultations import services
from consultations.models import Consultation
from consultations.tests.factories import MEDICATION, add_parts, make_consultation
from patients import emergency_access
from patients.models import Patient
from patients.services import anonymise, deactivate, reactivate

pytestmark = pytest.mark.django_db

REASON = "The patient's record was anonymised."


def past(appointment, days=3):
    """Moves the appointment and its slot into the past."""
    starts_at = clock.now() - timedelta(days=days)
    ends_at = starts_at + timedelta(minutes=30)
    for rows in (
        Appointment.objects.filter(pk=appointment.pk),
        type(appointment.time_slot).objects.filter(pk=appointment.time_slot_id),
    ):
        rows.update(starts_at=starts_at, ends_at=ends_at)
    appointment.refresh_from_db()
    return appointment


@pytest.mark.parametrize(
    ("before", "action", "after"),
    [
        (Status.SCHEDULED, "cancel", Status.CANCELLED),
        (Status.CONFIRMED, "cancel", Status.CANCELLED),
        (Status.IN_PROGRESS, "complete", Status.COMPLETED),
    ],
)
@pytest.mark.parametrize("is_closed", [False, True])
def test_an_open_past_appointment_is_ended_with_a_reason(
    jane, ada, before, action, after, is_closed
):
    appointment = past(make_appointment(before, patient=jane))
    if is_closed:
        deactivate(jane, by=ada)

    anonymise(jane, by=ada)

    appointment.refresh_from_db()
    entry = appointment.history.last()
    assert appointment.status == after
    assert (entry.action, entry.reason, entry.changed_by_id) == (action, REASON, ada.pk)


@pytest.mark.parametrize("status", [Status.COMPLETED, Status.CANCELLED, Status.NO_SHOW])
def test_an_appointment_that_is_over_stays_as_it_is(jane, ada, status):
    appointment = make_appointment(status, patient=jane)
    before = appointment.history.count()

    anonymise(jane, by=ada)

    appointment.refresh_from_db()
    assert (appointment.status, appointment.history.count()) == (status, before)


def test_open_consultations_are_completed_and_cancelled_with_their_visit(jane, smith, ada):
    visit = make_appointment_of_today(patient=jane, doctor=smith)
    started = make_consultation(appointment=visit, started=True)
    prepared = make_consultation(appointment=past(make_appointment(patient=jane, doctor=smith)))
    walk_in = services.open_walk_in(patient=jane, doctor=smith, chief_complaint="A cut", by=smith)

    anonymise(jane, by=ada)

    statuses = [Consultation.objects.get(pk=one.pk).status for one in (started, prepared, walk_in)]
    assert statuses == ["completed", "cancelled", "completed"]
    assert Appointment.objects.get(pk=started.appointment_id).status == Status.COMPLETED


def test_appointments_and_consultations_of_others_stay_open(jane, omar, ada):
    other = make_consultation(patient=omar, started=True)

    anonymise(jane, by=ada)

    assert Consultation.objects.get(pk=other.pk).status == "in_progress"


# --- No service writes afterwards -----------------------------------------------------------

WRITES = {
    "walk-in": lambda it: services.open_walk_in(
        patient=it.jane, doctor=it.doctor, chief_complaint="A cut", by=it.ada
    ),
    "consultation": lambda it: services.open_for(it.missed, by=it.doctor),
    "start": lambda it: services.start(it.walk_in, by=it.doctor),
    "complete": lambda it: services.complete(it.visit, by=it.doctor),
    "text": lambda it: services.update_text(it.visit, by=it.doctor, diagnosis="Gout"),
    "vital signs": lambda it: services.record_vital_signs(it.visit, by=it.doctor, heart_rate=70),
    "prescription": lambda it: services.prescribe(it.visit, by=it.doctor, **MEDICATION),
    "stop": lambda it: services.set_active(
        it.visit.prescriptions.get(), by=it.doctor, is_active=False
    ),
    "stop for a missed visit": lambda it: services.set_active(
        it.missed_room.prescriptions.get(), by=it.doctor, is_active=False
    ),
    "note": lambda it: services.add_note(it.visit, by=it.doctor, note_type="plan", content="Rest"),
    "addendum": lambda it: addendum(it.visit, it.doctor),
    "private addendum": lambda it: addendum(it.visit, it.doctor, is_private=True),
    "addendum to a missed visit": lambda it: addendum(it.missed_room, it.doctor),
    "addendum to a walk-in": lambda it: addendum(it.walk_in, it.doctor),
    "appointment": lambda it: appointments.book(
        patient=it.jane, time_slot=it.free, by=it.ada, reason_for_visit="A cough"
    ),
    "visit details": lambda it: appointments.update(it.missed, by=it.ada, symptoms="None"),
    "phone": lambda it: appointments.update(it.missed, by=it.ada, contact_phone="030 1"),
    "doctor's notes": lambda it: appointments.update(it.missed, by=it.doctor, doctor_notes="Late"),
    "notes of a visit": lambda it: appointments.update(
        it.visit.appointment, by=it.doctor, doctor_notes="Late"
    ),
    "status": lambda it: appointments.update(it.missed, by=it.doctor, status="completed"),
    "emergency access": lambda it: emergency_access.grant_emergency_access(
        it.jane, by=it.doctor, reason="Unconscious, no papers"
    ),
    "profile": lambda it: accounts.update_profile(it.jane, by=it.ada, allergies="Latex"),
    "close": lambda it: deactivate(it.jane, by=it.ada),
    "reopen": lambda it: reactivate(it.jane),
} | {
    action: lambda it, action=action: appointments.move(
        it.missed, action, by=it.ada, time_slot=it.free if action == "reschedule" else None
    )
    for action in MOVES
}


def addendum(consultation, doctor, **more):
    note = {"note_type": "addendum", "content": "She was called Jane Doe."}
    return services.add_note(consultation, by=doctor, **note | more)


class Record:
    """A record with a visit in progress, a visit that never began, and a walk-in."""

    def __init__(self, jane, doctor, ada):
        self.jane, self.doctor, self.ada = jane, doctor, ada
        self.visit = add_parts(make_consultation(patient=jane, doctor=doctor, started=True))
        self.missed = past(make_appointment(patient=jane, doctor=doctor))
        self.missed_room = services.open_for(self.missed, by=doctor)
        services.prescribe(self.missed_room, by=doctor, **MEDICATION)
        self.walk_in = services.open_walk_in(
            patient=jane, doctor=doctor, chief_complaint="A cut", by=doctor
        )
        self.free = TimeSlotFactory(doctor=doctor)


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_no_service_writes_about_an_anonymised_patient(jane, smith, ada, write):
    record = Record(jane, smith, ada)
    anonymise(jane, by=ada)
    models = [*(one.model for one in clinical_records()), Patient.history.model]
    before = all_rows(*models)

    with pytest.raises(ValidationError):  # with instances that were loaded before
        write(record)

    assert all_rows(*models) == before


@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("patch", "/api/appointments/{missed}/", {"doctor_notes": "Jane Doe was late"}),
        ("patch", "/api/appointments/{missed}/", {"contact_phone": "030 1"}),
        ("post", "/api/appointments/{missed}/complete/", {}),
        (
            "post",
            "/api/consultations/{visit}/notes/",
            {"note_type": "addendum", "content": "She was called Jane Doe."},
        ),
        ("patch", "/api/consultations/{visit}/", {"diagnosis": "Gout"}),
        ("post", "/api/consultations/{visit}/vital-signs/", {"heart_rate": 70}),
        ("post", "/api/consultations/{visit}/prescriptions/", MEDICATION),
    ],
)
def test_the_api_answers_409(api, jane, smith, ada, method, address, body):
    record = Record(jane, smith, ada)
    client = api(smith)
    anonymise(jane, by=ada)
    before = AppointmentHistory.objects.count()

    path = address.format(missed=record.missed.pk, visit=record.visit.pk)
    response = getattr(client, method)(path, body)

    assert status_and_code(response) == (409, "record_anonymised")
    assert AppointmentHistory.objects.count() == before


@requires_row_locks
@pytest.mark.django_db(transaction=True)
def test_a_note_that_waited_for_the_anonymisation_is_refused(jane, smith):
    visit = make_consultation(patient=jane, doctor=smith, started=True)
    ada = AdminFactory()

    outcome = run_behind_lock(
        lambda: anonymise(jane, by=ada),
        lambda: addendum(visit, smith),
    )

    assert outcome == (True, "record_anonymised")
    assert not visit.notes.exists()
