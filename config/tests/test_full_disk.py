"""No room for the database: writes are told 503 and leave nothing, reads go on."""

import errno
import os

import pytest
from django.db import connection

from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import TimeSlotFactory
from config.api import exceptions
from patients.tests.factories import PatientFactory

BOOKING = "/api/appointments/"
PROFILE = "/api/auth/profile/"
SLOTS = 60
EVERYTHING_SQLITE_MAY_HAVE = 1_073_741_823  # pages
TRIGGER = """
    CREATE FUNCTION pg_temp.no_room() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'could not extend file 10.0.0.7' USING ERRCODE = 'disk_full'; END $$;
    CREATE TRIGGER no_room BEFORE INSERT ON appointments_appointmenthistory
        FOR EACH ROW EXECUTE FUNCTION pg_temp.no_room();
"""


def execute(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


def is_refused(answer, sentence):
    body = answer.json()
    return (answer.status_code, answer["Retry-After"]) == (503, "5") and (
        (body["status"], body["code"], body["message"]) == ("error", "unavailable", sentence)
        and body["request_id"] == answer["X-Request-ID"]
    )


@pytest.fixture
def jane(api, transactional_db):
    return api(PatientFactory(username="jane"), raise_request_exception=False)


@pytest.fixture
def slots(transactional_db):
    return [slot.pk for slot in TimeSlotFactory.create_batch(SLOTS)]


@pytest.fixture
def full_database(slots):
    """No page more than there are, or the same word where PostgreSQL writes; called, it ends."""

    def make_room():
        if connection.vendor == "postgresql":
            execute("DROP TRIGGER IF EXISTS no_room ON appointments_appointmenthistory")
        else:
            execute(f"PRAGMA max_page_count = {EVERYTHING_SQLITE_MAY_HAVE}")

    if connection.vendor == "postgresql":
        execute(TRIGGER)
    else:
        execute("VACUUM")  # pages given back would be room
        execute("PRAGMA max_page_count = 1")  # which means: as many as there are
    yield make_room
    make_room()


def book(client, slot):
    body = {"time_slot": slot, "reason_for_visit": "A cough" * 100}
    return client.post(BOOKING, body, headers={"Idempotency-Key": f"slot {slot}"})


def test_a_full_database_refuses_bookings_is_read_and_books_again_when_there_is_room(
    jane, slots, full_database, caplog
):
    answers = [book(jane, slot) for slot in slots]
    booked = [answer.json()["data"]["id"] for answer in answers if answer.status_code == 201]
    refused = [answer for answer in answers if answer.status_code != 201]

    assert refused
    assert all(
        is_refused(
            answer, "The clinic's database does not answer at the moment. Please try again later."
        )
        for answer in refused
    )
    word = "53100" if connection.vendor == "postgresql" else "SQLITE_FULL"
    assert f"The database did not answer: OperationalError {word}" in caplog.text
    assert "10.0.0.7" not in caplog.text

    lists = [jane.get(address) for address in (BOOKING, "/api/time-slots/", PROFILE)]

    assert [answer.status_code for answer in lists] == [200, 200, 200]
    assert lists[0].json()["data"]["count"] == len(booked)
    assert sorted(Appointment.objects.values_list("pk", flat=True)) == sorted(booked)
    assert AppointmentHistory.objects.count() == len(booked)

    full_database()

    assert [book(jane, slot).status_code for slot in slots] == [201] * SLOTS
    assert Appointment.objects.count() == AppointmentHistory.objects.count() == SLOTS


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_and_a_spent_quota_are_outages(number):
    problem = exceptions.problem_from(OSError(number, os.strerror(number), "/srv/a secret path"))

    assert (problem.status, problem.code) == (503, "unavailable")
    assert problem.headers == {"Retry-After": "5"}
    assert "secret" not in str(problem.body)


def test_a_disk_that_fails_otherwise_is_a_mistake_of_ours():
    assert exceptions.problem_from(OSError(errno.EACCES, "denied")).code == "server_error"
