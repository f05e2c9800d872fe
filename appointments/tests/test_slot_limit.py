"""A doctor who is not verified yet opens at most MAX_SLOTS_UNVERIFIED time slots."""

from datetime import date, time, timedelta

import pytest

from accounts.tests.factories import AdminFactory, DoctorFactory, UnverifiedDoctorFactory
from appointments import clock, slot_services
from appointments.models import TimeSlot
from appointments.tests.helpers import data, status_and_code
from config.tests.lock_waiting import requires_row_locks, run_behind_lock

pytestmark = pytest.mark.django_db

SLOTS = "/api/time-slots/"
BULK = f"{SLOTS}create_bulk_slots/"
DAY = date(2027, 3, 1)
SERIES = {"date": "2027-03-01", "start_time": "09:00", "end_time": "10:00", "slot_duration": 20}


@pytest.fixture(autouse=True)
def limit(settings):
    settings.DOCTOR_VERIFICATION_REQUIRED = True
    settings.MAX_SLOTS_UNVERIFIED = 3


def slot_at(hour):
    return {"date": "2027-03-02", "start_time": f"{hour}:00", "end_time": f"{hour}:30"}


def test_an_unverified_doctor_opens_single_slots_up_to_the_limit(api):
    client = api(UnverifiedDoctorFactory())
    for hour in (10, 11, 12):
        data(client.post(SLOTS, slot_at(hour)), 201)

    refused = client.post(SLOTS, slot_at(13))

    assert status_and_code(refused) == (409, "too_many_slots")
    assert list(refused.json()["errors"]) == ["doctor"]
    assert TimeSlot.objects.count() == 3


def test_a_series_beyond_the_limit_opens_no_slot(api):
    client = api(UnverifiedDoctorFactory())
    data(client.post(SLOTS, slot_at(10)), 201)

    refused = client.post(BULK, SERIES)

    assert status_and_code(refused) == (409, "too_many_slots")
    assert TimeSlot.objects.count() == 1


def test_withdrawn_slots_count(api):
    client = api(UnverifiedDoctorFactory())
    opened = data(client.post(BULK, SERIES), 201)["created"]
    for slot in opened:
        assert client.delete(f"{SLOTS}{slot['id']}/").status_code == 204

    assert status_and_code(client.post(SLOTS, slot_at(10))) == (409, "too_many_slots")


def test_an_admin_opens_no_more_for_an_unverified_doctor(api):
    doctor = UnverifiedDoctorFactory()
    client = api(AdminFactory())
    data(client.post(BULK, SERIES | {"doctor": doctor.pk}), 201)

    refused = client.post(SLOTS, slot_at(10) | {"doctor": doctor.pk})

    assert status_and_code(refused) == (409, "too_many_slots")


def test_past_slots_and_slots_of_others_do_not_count(api):
    doctor, other = UnverifiedDoctorFactory(), UnverifiedDoctorFactory()
    for owner, start in [(doctor, clock.now() - timedelta(days=2)), (other, clock.now())]:
        for n in range(1, 4):
            starts_at = start + timedelta(hours=n)
            TimeSlot.objects.create(
                doctor=owner, starts_at=starts_at, ends_at=starts_at + timedelta(minutes=30)
            )

    data(api(doctor).post(BULK, SERIES), 201)


@pytest.mark.parametrize("exempt", ["verified", "not required", "no limit"])
def test_nobody_else_has_the_limit(api, settings, exempt):
    doctor = DoctorFactory() if exempt == "verified" else UnverifiedDoctorFactory()
    settings.DOCTOR_VERIFICATION_REQUIRED = exempt != "not required"
    settings.MAX_SLOTS_UNVERIFIED = 0 if exempt == "no limit" else 3

    data(api(doctor).post(BULK, SERIES | {"end_time": "12:00"}), 201)

    assert TimeSlot.objects.count() == 9


@requires_row_locks
@pytest.mark.django_db(transaction=True)
def test_the_slots_are_counted_after_waiting_for_the_lock(settings):
    settings.MAX_SLOTS_UNVERIFIED = 1
    doctor = UnverifiedDoctorFactory()

    outcome = run_behind_lock(
        lambda: open_at(doctor, time(9)),
        lambda: open_at(doctor, time(11)),
    )

    assert outcome == (True, "too_many_slots")
    assert TimeSlot.objects.count() == 1


def open_at(doctor, start):
    end = start.replace(minute=30)
    slot_services.open_slot(doctor=doctor, date=DAY, start_time=start, end_time=end)
