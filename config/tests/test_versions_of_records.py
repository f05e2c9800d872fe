"""Optimistic concurrency: versions, `ETag`, `If-Match` and `If-None-Match`."""

import pytest
from django.core.exceptions import ValidationError

from accounts import licences
from accounts import services as accounts
from accounts.tests.factories import AdminFactory
from appointments import record_closing
from appointments import services as appointments
from appointments.models import Appointment
from appointments.tests.factories import TimeSlotFactory, make_appointment, on_the_day
from appointments.tests.helpers import (
    all_rows,
    assert_data_queries,
    data,
)
from config.tests.personas import build_clinic
from consultations import services as consultations
from consultations.models import Consultation
from consultations.tests.factories import MEDICATION, make_consultation
from patients import services as patients
from patients.tests.factories import PatientFactory

PROFILE = "/api/auth/profile/"


def appointment_url(appointment, move=""):
    return f"/api/appointments/{appointment.pk}/{move}"


def consultation_url(consultation, step=""):
    return f"/api/consultations/{consultation.pk}/{step}"


def patient_url(patient):
    return f"/api/patients/{patient.pk}/"


def version(record):
    return type(record).objects.values_list("version", flat=True).get(pk=record.pk)


# --- Changes that count ---------------------------------------------------------------------


def transition(name):
    def act(appointment, by):
        with on_the_day(appointment):
            appointments.move(appointment, name, by=by)

    return act


def start_consultation(appointment, by):
    with on_the_day(appointment):
        consultations.start(make_consultation(appointment=appointment), by=by)


def reschedule(appointment, by):
    slot = TimeSlotFactory(doctor=appointment.doctor)
    appointments.move(appointment, "reschedule", by=by, time_slot=slot)


CHANGES_OF_AN_APPOINTMENT = {
    "confirm": (transition("confirm"), 1),
    "start": (transition("start"), 1),
    "complete": (transition("complete"), 1),
    "cancel": (transition("cancel"), 1),
    "reschedule": (reschedule, 1),
    "amend": (lambda it, by: appointments.update(it, by=by, symptoms="Fever", priority="low"), 1),
    "amend to a status": (lambda it, by: appointments.update(it, by=by, status="confirmed"), 1),
    "amend and move": (
        lambda it, by: appointments.update(it, by=by, symptoms="Fever", status="confirmed"),
        2,  # two versions, as in the history
    ),
    "amend nothing": (lambda it, by: appointments.update(it, by=by, symptoms=it.symptoms), 0),
    "cancel_upcoming": (lambda it, by: record_closing.cancel_upcoming(it.patient, by=by), 1),
    "the start of its consultation": (start_consultation, 1),
    "the opening of its consultation": (lambda it, by: consultations.open_for(it, by=by), 0),
}


@pytest.mark.parametrize("change", CHANGES_OF_AN_APPOINTMENT)
@pytest.mark.django_db
def test_each_transition_of_an_appointment_is_one_version(change):
    appointment = make_appointment()
    act, steps = CHANGES_OF_AN_APPOINTMENT[change]

    act(appointment, appointment.doctor)

    assert version(appointment) == 1 + steps


CHANGES_OF_A_CONSULTATION = {
    "start": (lambda it, by: consultations.start(it, by=by), 1),
    "complete": (lambda it, by: consultations.complete(it, by=by, assessment="Well"), 1),
    "write": (lambda it, by: consultations.update_text(it, by=by, diagnosis="Gout"), 1),
    "vital signs": (lambda it, by: consultations.record_vital_signs(it, by=by, heart_rate=70), 1),
    "prescribe": (lambda it, by: consultations.prescribe(it, by=by, **MEDICATION), 1),
    "prescribe and stop": (
        lambda it, by: consultations.set_active(
            consultations.prescribe(it, by=by, **MEDICATION), by=by, is_active=False
        ),
        2,
    ),
    "note": (
        lambda it, by: consultations.add_note(it, by=by, note_type="plan", content="Rest"),
        1,
    ),
    "private note": (
        lambda it, by: consultations.add_note(
            it, by=by, note_type="general", content="Worried", is_private=True
        ),
        0,  # the patient reads the version
    ),
    "a move of its appointment": (
        lambda it, by: appointments.move(it.appointment, "confirm", by=by),
        0,
    ),
    "the end of its appointment": (
        lambda it, by: appointments.move(it.appointment, "cancel", by=by),
        0,
    ),
}


@pytest.mark.parametrize("change", CHANGES_OF_A_CONSULTATION)
@pytest.mark.django_db
def test_each_change_of_a_consultation_or_part_is_one_version(change):
    consultation = make_consultation()
    act, steps = CHANGES_OF_A_CONSULTATION[change]

    with on_the_day(consultation.appointment):
        act(consultation, consultation.doctor)

    assert version(consultation) == 1 + steps


CHANGES_OF_A_PERSON = {
    "update_profile": (lambda it, by: accounts.update_profile(it, by=by, phone="030 1"), 1),
    "deactivate": (lambda it, by: patients.deactivate(it, by=by), 1),
    "reactivate": (lambda it, by: patients.reactivate(it), 1),
    "verify_licence": (lambda it, by: licences.verify_licence(it), 1),
}


@pytest.mark.parametrize("change", CHANGES_OF_A_PERSON)
@pytest.mark.django_db
def test_each_change_of_a_user_is_one_version(change):
    person = PatientFactory(is_active=change != "reactivate")
    act, steps = CHANGES_OF_A_PERSON[change]

    act(person, AdminFactory())

    assert version(person) == 1 + steps


@pytest.mark.django_db
def test_a_refused_change_is_no_version():
    consultation = make_consultation(completed=True)
    before = all_rows(Appointment, Consultation)

    with pytest.raises(ValidationError):
        consultations.prescribe(consultation, by=consultation.doctor, **MEDICATION)

    assert all_rows(Appointment, Consultation) == before


@pytest.mark.django_db
def test_a_login_is_no_version(api, client):
    patient = PatientFactory()

    api(patient)
    client.force_login(patient)

    assert (version(patient), patient.version) == (1, 1)


# --- ETag -----------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_etag_is_the_version_of_the_record(api):
    clinic = build_clinic()
    doctor, admin = api(clinic.house), api(clinic.ada)
    accounts.update_profile(clinic.jane, by=clinic.ada, phone="030 1")

    tags = {
        address: client.get(address).headers.get("ETag")
        for client, address in [
            (doctor, appointment_url(clinic.appointment)),
            (doctor, consultation_url(clinic.consultation)),
            (doctor, patient_url(clinic.jane)),
            (admin, PROFILE),
            (admin, "/api/appointments/"),
            (admin, f"/api/doctors/{clinic.house.pk}/"),
            (admin, f"/api/time-slots/{clinic.free.pk}/"),
            (admin, "/api/appointments/0/"),
        ]
    }

    assert list(tags.values()) == ['"2"', '"5"', '"2"', '"1"', None, None, None, None]


@pytest.mark.django_db
def test_a_write_response_has_the_etag_of_the_following_get(api):
    clinic = build_clinic()
    doctor, admin, jane = api(clinic.house), api(clinic.ada), api(clinic.jane)
    slot = TimeSlotFactory(doctor=clinic.house)
    appointment, consultation = clinic.appointment, clinic.pauls_consultation
    booked = admin.post(
        "/api/appointments/",
        {"time_slot": slot.pk, "patient": clinic.paul.pk, "reason_for_visit": "A cough"},
    )
    booked_at = f"/api/appointments/{data(booked, 201)['id']}/"
    assert booked["ETag"] == admin.get(booked_at)["ETag"] == '"1"'

    for client, method, written, read, body in [
        (admin, "post", f"{booked_at}confirm/", booked_at, {}),
        (admin, "patch", booked_at, booked_at, {"symptoms": "Fever", "status": "cancelled"}),
        (doctor, "patch", appointment_url(appointment), None, {"doctor_notes": "Calm"}),
        (admin, "patch", consultation_url(consultation), None, {"diagnosis": "Gout"}),
        (
            admin,
            "post",
            consultation_url(consultation, "complete_consultation/"),
            consultation_url(consultation),
            {},
        ),
        (doctor, "patch", patient_url(clinic.jane), None, {"phone": "030 1"}),
        (jane, "patch", PROFILE, None, {"phone": "030 2"}),
    ]:
        before = client.get(read or written)["ETag"]

        with on_the_day(consultation.appointment):
            answer = getattr(client, method)(written, body)

        assert answer.status_code == 200, answer.content
        assert answer["ETag"] != before
        assert answer["ETag"] == client.get(read or written)["ETag"]


@pytest.mark.django_db
def test_profile_and_patient_record_have_the_same_version(api):
    patient = PatientFactory()
    client = api(patient)

    client.patch(PROFILE, {"phone": "030 1"})

    assert client.get(PROFILE)["ETag"] == client.get(patient_url(patient))["ETag"] == '"2"'


@pytest.mark.parametrize("if_version", [None, {1}])
@pytest.mark.django_db
def test_if_match_costs_no_query_or_one_for_a_consultation_part(if_version):
    consultation = make_consultation()
    doctor = consultation.doctor

    with assert_data_queries(5):  # two locks, the row, its history and the audit event
        consultations.update_text(consultation, by=doctor, diagnosis="Gout", if_version=if_version)
    with assert_data_queries(6):  # the version of the consultation too
        consultations.add_note(consultation, by=doctor, note_type="plan", content="Rest")
