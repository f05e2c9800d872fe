"""The access log: patients see who has accessed their record."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Action, AuditEvent
from accounts.tests.factories import AdminFactory, DoctorFactory, UnverifiedDoctorFactory
from accounts.tests.helpers import data
from appointments import services
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import assert_data_queries, status_and_code
from consultations.tests.factories import add_parts, make_consultation
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db


def url_of(patient):
    return f"/api/patients/{patient.pk}/access-log/"


@pytest.fixture
def consultation_read_by_house(api, jane, house):
    """Jane's consultation with parts, after Dr. House has read it through the API."""
    room = add_parts(make_consultation(patient=jane, doctor=house, by=AdminFactory()))
    client = api(house)
    data(client.get(f"/api/consultations/{room.pk}/notes/"))
    data(client.get("/api/appointments/"))
    return room


def test_an_entry_names_actor_time_role_and_kind_of_record(
    api, jane, house, consultation_read_by_house
):
    rows = data(api(jane).get(url_of(jane)))["results"]

    listed, notes = rows[0], rows[1]
    assert listed == {
        "at": listed["at"],
        "actor": house.pk,
        "actor_name": "Gregory House",
        "role": "doctor",
        "action": "read",
        "kinds": ["appointment"],
    }
    assert (notes["action"], notes["kinds"]) == ("read", ["consultation"])
    assert {row["action"] for row in rows} == {"read", "create"}


def test_an_entry_contains_no_record_id_and_no_clinical_data(api, jane, consultation_read_by_house):
    text = api(jane).get(url_of(jane)).content.decode()

    note = consultation_read_by_house.notes.first()
    assert note.content not in text
    assert f"consultation/{consultation_read_by_house.pk}" not in text
    assert "127.0.0.1" not in text


def test_reading_the_log_is_logged(api, jane):
    client = api(jane)
    data(client.get(url_of(jane)))

    row = data(client.get(url_of(jane)))["results"][0]

    assert (row["actor"], row["action"], row["role"]) == (jane.pk, "read", "patient")


def test_the_log_contains_no_access_to_other_patients(api, jane, house, consultation_read_by_house):
    paul = PatientFactory()
    make_appointment(patient=paul, doctor=house)

    rows = data(api(paul).get(url_of(paul)))["results"]

    assert [(row["action"], row["kinds"]) for row in rows] == [("create", ["appointment"])]
    assert status_and_code(api(paul).get(url_of(jane))) == (404, "not_found")


def test_denied_access_is_not_shown_to_patients(api, jane):
    stranger = PatientFactory()
    api(stranger).get(f"/api/patients/{jane.pk}/")
    assert AuditEvent.objects.filter(outcome="refused", actor=stranger.pk).count() == 1

    rows = data(api(jane).get(url_of(jane)))["results"]

    assert stranger.pk not in {row["actor"] for row in rows}


@pytest.mark.parametrize("who", [DoctorFactory, UnverifiedDoctorFactory])
def test_doctors_cannot_read_access_logs(api, jane, who):
    assert status_and_code(api(who()).get(url_of(jane))) == (403, "permission_denied")


def test_an_admin_reads_the_log_of_any_patient(api, jane, house, consultation_read_by_house):
    rows = data(api(AdminFactory()).get(url_of(jane)))["results"]

    assert house.pk in {row["actor"] for row in rows}


def test_the_log_survives_deleted_users(api, jane):
    AuditEvent.objects.create(
        event="patient.retrieve",
        action=Action.READ,
        actor=999_999,
        role="doctor",
        patients=[jane.pk],
    )

    row = data(api(jane).get(url_of(jane)))["results"][0]

    assert (row["actor"], row["actor_name"]) == (999_999, None)


@pytest.mark.parametrize("number", [1, 12, 21])
def test_a_patient_id_is_not_matched_as_a_prefix(jane, number):
    AuditEvent.objects.create(event="patient.list", action=Action.READ, patients=[121, 12])

    assert AuditEvent.objects.about(number).filter(event="patient.list").exists() == (number == 12)


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_queries_for_any_length(api, jane, house, count):
    visit = make_appointment(patient=jane, doctor=house)
    for number in range(count):
        services.update(visit, by=house, doctor_notes=f"Note {number}")
    client = api(jane)

    with assert_data_queries(5):  # user, patient, count, page, and the audit event
        data(client.get(url_of(jane)))


def test_the_log_is_ordered_newest_first(api, jane):
    now = timezone.now()
    for days, role in ((3, "patient"), (1, "doctor"), (2, "admin")):
        AuditEvent.objects.create(
            event="patient.retrieve",
            action=Action.READ,
            role=role,
            patients=[jane.pk],
            at=now - timedelta(days=days),
        )

    rows = data(api(jane).get(url_of(jane)))["results"]

    assert [row["role"] for row in rows][:3] == ["doctor", "admin", "patient"]
