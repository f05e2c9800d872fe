"""A patient asks who had to do with the record."""

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


def address(patient):
    return f"/api/patients/{patient.pk}/access-log/"


@pytest.fixture
def read_by_house(api, jane, house):
    """Of Jane's, a room that Dr. House opened, with parts, and the requests by which he read it."""
    room = add_parts(make_consultation(patient=jane, doctor=house, by=AdminFactory()))
    client = api(house)
    data(client.get(f"/api/consultations/{room.pk}/notes/"))
    data(client.get("/api/appointments/"))
    return room


def test_it_says_who_when_in_which_role_and_what_kind_of_thing(api, jane, house, read_by_house):
    rows = data(api(jane).get(address(jane)))["results"]

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


def test_it_names_no_record_and_nothing_clinical(api, jane, read_by_house):
    text = api(jane).get(address(jane)).content.decode()

    note = read_by_house.notes.first()
    assert note.content not in text
    assert f"consultation/{read_by_house.pk}" not in text
    assert "127.0.0.1" not in text


def test_reading_it_is_in_it_the_next_time(api, jane):
    client = api(jane)
    data(client.get(address(jane)))

    row = data(client.get(address(jane)))["results"][0]

    assert (row["actor"], row["action"], row["role"]) == (jane.pk, "read", "patient")


def test_of_others_it_says_nothing(api, jane, house, read_by_house):
    paul = PatientFactory()
    make_appointment(patient=paul, doctor=house)

    rows = data(api(paul).get(address(paul)))["results"]

    assert [(row["action"], row["kinds"]) for row in rows] == [("create", ["appointment"])]
    assert status_and_code(api(paul).get(address(jane))) == (404, "not_found")


def test_what_was_refused_is_for_the_clinic_to_know(api, jane):
    stranger = PatientFactory()
    api(stranger).get(f"/api/patients/{jane.pk}/")
    assert AuditEvent.objects.filter(outcome="refused", actor=stranger.pk).count() == 1

    rows = data(api(jane).get(address(jane)))["results"]

    assert stranger.pk not in {row["actor"] for row in rows}


@pytest.mark.parametrize("who", [DoctorFactory, UnverifiedDoctorFactory])
def test_doctors_may_not_look_each_other_up(api, jane, who):
    assert status_and_code(api(who()).get(address(jane))) == (403, "permission_denied")


def test_an_admin_reads_that_of_everybody(api, jane, house, read_by_house):
    rows = data(api(AdminFactory()).get(address(jane)))["results"]

    assert house.pk in {row["actor"] for row in rows}


def test_it_survives_those_it_names(api, jane):
    AuditEvent.objects.create(
        event="patient.retrieve",
        action=Action.READ,
        actor=999_999,
        role="doctor",
        patients=[jane.pk],
    )

    row = data(api(jane).get(address(jane)))["results"][0]

    assert (row["actor"], row["actor_name"]) == (999_999, None)


@pytest.mark.parametrize("number", [1, 12, 21])
def test_a_number_is_found_as_a_whole(jane, number):
    AuditEvent.objects.create(event="patient.list", action=Action.READ, patients=[121, 12])

    assert AuditEvent.objects.about(number).filter(event="patient.list").exists() == (number == 12)


@pytest.mark.parametrize("count", [1, 3])
def test_it_costs_the_same_however_long_it_is(api, jane, house, count):
    visit = make_appointment(patient=jane, doctor=house)
    for number in range(count):
        services.update(visit, by=house, doctor_notes=f"Note {number}")
    client = api(jane)

    with assert_data_queries(5):  # who asks, the patient, how many, these, and the audit's
        data(client.get(address(jane)))


def test_the_latest_come_first(api, jane):
    now = timezone.now()
    for days in (3, 1, 2):
        AuditEvent.objects.create(
            event="patient.retrieve",
            action=Action.READ,
            role=f"day{days}",
            patients=[jane.pk],
            at=now - timedelta(days=days),
        )

    rows = data(api(jane).get(address(jane)))["results"]

    assert [row["role"] for row in rows][:3] == ["day1", "day2", "day3"]
