"""`If-None-Match`: an unchanged record is answered with 304."""

import pytest

from accounts.models import Action, AuditEvent
from accounts.tests.factories import AdminFactory, DoctorFactory
from appointments.tests.helpers import (
    data,
)
from consultations.tests.factories import make_consultation
from patients.tests.factories import PatientFactory

PROFILE = "/api/auth/profile/"


def appointment_url(appointment, move=""):
    return f"/api/appointments/{appointment.pk}/{move}"


def consultation_url(consultation, step=""):
    return f"/api/consultations/{consultation.pk}/{step}"


def patient_url(patient):
    return f"/api/patients/{patient.pk}/"


def reads_of(record):
    return AuditEvent.objects.filter(action=Action.READ, patients=[record.pk])


@pytest.mark.django_db
@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', '"7", "1"'])
def test_a_matching_if_none_match_is_304(api, tags):
    patient = PatientFactory()
    client = api(patient)
    for address in (patient_url(patient), PROFILE):
        told = client.get(address, HTTP_IF_NONE_MATCH=tags)
        assert (told.status_code, told.content) == (304, b"")
        assert told["ETag"] == client.get(address)["ETag"] == '"1"'
        assert "Content-Type" not in told
    assert (
        reads_of(patient).count() == 4
    )  # a 304 confirms what the reader knows, so it counts as a read


@pytest.mark.django_db
@pytest.mark.parametrize("tags", ['"2"', "*", "1", '"01"', "nonsense", '"one"', ""])
def test_a_different_if_none_match_returns_the_record(api, tags):
    patient = PatientFactory()
    for address in (patient_url(patient), PROFILE):
        assert data(api(patient).get(address, HTTP_IF_NONE_MATCH=tags))["id"] == patient.pk


@pytest.mark.django_db
def test_every_change_of_a_shown_field_changes_the_etag(api):
    patient, admin = PatientFactory(), AdminFactory()
    client = api(patient)
    shown = data(client.get(PROFILE))
    for field, value in {
        "first_name": "Maud",
        "phone": "+49 30 1",
        "allergies": "Latex",
        "gender": "female",
        "address": "Elsewhere 1",
    }.items():
        tag = client.get(PROFILE)["ETag"]
        data(api(admin).patch(patient_url(patient), {field: value}))
        now = data(client.get(PROFILE, HTTP_IF_NONE_MATCH=tag))
        assert now[field] == value != shown[field]


@pytest.mark.django_db
def test_an_invisible_record_is_not_304(api):
    patient = PatientFactory()
    for user, status in ((PatientFactory(), 404), (None, 401)):
        told = api(user).get(patient_url(patient), HTTP_IF_NONE_MATCH='"1"')
        assert told.status_code == status
        assert "ETag" not in told


@pytest.mark.django_db
def test_records_with_derived_data_are_never_304(api):
    consultation = make_consultation()
    visit = consultation.appointment
    client = api(visit.doctor)
    for address in (appointment_url(visit), consultation_url(consultation)):
        tag = client.get(address)["ETag"]
        assert client.get(address, HTTP_IF_NONE_MATCH=tag).status_code == 200


@pytest.mark.django_db
def test_a_replayed_post_has_a_body(api):
    doctor, key = DoctorFactory(), {"HTTP_IDEMPOTENCY_KEY": "a-new-patient"}
    body = {"first_name": "Ada", "last_name": "Byron"}
    made = data(api(doctor).post("/api/patients/", body, **key), 201)
    again = api(doctor).post("/api/patients/", body, **key, HTTP_IF_NONE_MATCH='"1"')
    assert data(again, 201) == made
