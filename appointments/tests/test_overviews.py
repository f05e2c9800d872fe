"""Upcoming appointments, and the appointments of the clinic's day."""

from datetime import date, time, timedelta

import pytest
from django.urls import reverse

from appointments import clock
from appointments.lifecycle import Status
from appointments.tests.factories import TimeSlotFactory, make_appointment
from appointments.tests.helpers import (
    assert_data_queries,
    clinic_time,
    data,
    error_details,
    ids,
    make_slot,
    status_and_code,
)

pytestmark = pytest.mark.usefixtures("wednesday")

UPCOMING, TODAY = "/api/upcoming/", "/api/today/"


def visit(local, doctor, patient, status="scheduled", minutes=30):
    """An appointment booked the day before."""
    slot = make_slot(local, minutes, doctor=doctor)
    with clock.frozen_at(slot.starts_at - timedelta(days=1)):
        return make_appointment(status, time_slot=slot, patient=patient)


@pytest.fixture
def appointments(smith, meyer, jane, omar):
    """Appointments by name, around 10:00 on Wednesday, 2 December."""
    return {
        visit("2026-12-03 09:00", smith, jane, "confirmed").pk: "tomorrow",
        visit("2026-12-02 09:30", smith, jane).pk: "missed",
        visit("2026-12-02 10:00", smith, omar).pk: "now",
        visit("2026-12-02 10:30", smith, jane).pk: "next",
        visit("2026-12-02 11:00", smith, omar, "cancelled").pk: "cancelled",
        visit("2026-12-02 11:30", meyer, omar, "in_progress").pk: "early",
        visit("2026-12-02 09:00", meyer, jane, "completed").pk: "completed",
        visit("2026-12-02 00:00", meyer, omar, "no_show").pk: "no_show",
        visit("2026-12-02 23:30", meyer, jane, minutes=29).pk: "late",
        visit("2026-12-01 23:30", meyer, omar, minutes=30).pk: "yesterday",
    }


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("jane", ["next", "late", "tomorrow"]),
        ("omar", []),
        ("smith", ["next", "tomorrow"]),
        ("meyer", ["late"]),
        ("ada", ["next", "late", "tomorrow"]),
    ],
)
def test_upcoming_lists_scheduled_and_confirmed_future_appointments_in_order(
    who, expected, api, request, appointments
):
    response = api(request.getfixturevalue(who)).get(UPCOMING)

    assert [appointments[pk] for pk in ids(response)] == expected


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("jane", ["completed", "missed", "next", "late"]),
        ("omar", ["no_show", "now", "early"]),
        ("smith", ["missed", "now", "next"]),
        ("meyer", ["no_show", "completed", "early", "late"]),
        ("ada", ["no_show", "completed", "missed", "now", "next", "early", "late"]),
    ],
)
def test_today_lists_uncancelled_appointments_of_the_local_day_in_order(
    who, expected, api, request, appointments
):
    response = api(request.getfixturevalue(who)).get(TODAY)

    assert [appointments[pk] for pk in ids(response)] == expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2026-12-01 23:59:59", ["yesterday"]),
        ("2026-12-02 00:00:00", ["no_show", "completed", "early", "late"]),
        ("2026-12-02 23:59:59", ["no_show", "completed", "early", "late"]),
        ("2026-12-03 00:00:00", []),
    ],
)
def test_the_day_begins_and_ends_at_local_midnight(now, expected, api, appointments, meyer):
    client = api(meyer)

    with clock.frozen_at(clinic_time(now)):
        response = client.get(TODAY)

    assert [appointments[pk] for pk in ids(response)] == expected


@pytest.mark.parametrize(
    ("first", "last", "day_after"),
    [
        ("2027-03-28 00:00", "2027-03-28 23:30", "2027-03-29 00:00"),  # 23 hours
        ("2027-10-31 00:00", "2027-10-31 23:30", "2027-11-01 00:00"),  # 25 hours
    ],
)
def test_a_day_with_a_clock_change_is_complete(*, first, last, day_after, api, smith, jane):
    expected = [visit(first, smith, jane).pk, visit(last, smith, jane).pk]
    visit(day_after, smith, jane)
    client = api(smith)

    with clock.frozen_at(clinic_time(first)):
        response = client.get(TODAY)

    assert ids(response) == expected


def test_the_day_is_local_to_the_clinic_and_not_to_the_caller(api, appointments, meyer):
    """00:30 in Berlin is still the previous day in UTC."""
    client = api(meyer)

    with clock.frozen_at(clinic_time("2026-12-02 00:30")):
        response = client.get(TODAY)

    assert [appointments[pk] for pk in ids(response)] == ["no_show", "completed", "early", "late"]


@pytest.mark.parametrize("status", Status)
def test_other_statuses_are_not_upcoming(status, api, smith):
    make_appointment(status, doctor=smith)

    assert len(ids(api(smith).get(UPCOMING))) == (status in {"scheduled", "confirmed"})


@pytest.mark.parametrize("url", [UPCOMING, TODAY])
def test_a_row_equals_that_of_the_appointment_list(url, api, appointments, jane):
    client = api(jane)
    rows = data(client.get("/api/appointments/"))["results"]

    local = data(client.get(url))["results"]

    assert local == [next(row for row in rows if row["id"] == one["id"]) for one in local]


@pytest.mark.parametrize("url", [UPCOMING, TODAY])
def test_overviews_are_paginated_and_take_no_date(url, api, appointments, jane):
    client = api(jane)

    page = data(client.get(url, {"page_size": 1, "page": 2}))
    refused = client.get(url, {"date": "2026-12-02"})

    assert (len(page["results"]), page["count"] > 1) == (1, True)
    assert status_and_code(refused) == (400, "unknown_parameter")
    assert list(error_details(refused)[2]) == ["date"]


@pytest.mark.parametrize("url", [UPCOMING, TODAY])
def test_overviews_are_narrowed_by_doctor_patient_and_status(url, api, appointments, ada):
    client = api(ada)
    rows = data(client.get(url))["results"]

    several = []
    for field in ("doctor", "patient", "status"):
        values = {row[field] for row in rows}
        several += [field] * (len(values) > 1)
        for value in values:
            found = data(client.get(url, {field: value}))["results"]
            assert found == [row for row in rows if row[field] == value]
        every = ",".join(map(str, values))
        assert data(client.get(url, {field: every}))["results"] == rows
    assert len(several) > 1


@pytest.mark.parametrize(
    ("zone", "today"),
    [
        ("Europe/Berlin", "2026-10-25"),  # 25 hours
        ("America/New_York", "2026-03-08"),  # 23 hours
        ("Pacific/Auckland", "2026-12-02"),
    ],
)
def test_every_page_has_the_same_day(zone, today, api, ada, client, smith, settings):
    settings.TIME_ZONE = zone
    day = date.fromisoformat(today)

    def visit_at(days, hour, minute):
        starts_at = clock.clinic_datetime(day + timedelta(days=days), time(hour, minute))
        ends_at = starts_at + timedelta(minutes=29)
        return make_appointment(
            time_slot=TimeSlotFactory(doctor=smith, starts_at=starts_at, ends_at=ends_at)
        )

    with clock.frozen_at(clock.clinic_datetime(day - timedelta(days=2), time(12))):
        visit_at(-1, 23, 30)
        first, last = visit_at(0, 0, 0), visit_at(0, 23, 30)
        visit_at(1, 0, 0)
    with clock.frozen_at(clock.clinic_datetime(day, time(12))):
        both = [first.pk, last.pk]
        caller = api(ada)
        client.force_login(ada)

        filtered = caller.get("/api/appointments/", {"date": today, "ordering": "starts_at"})
        day_sheet = client.get(reverse("admin:index")).context["day_sheet"]["rows"]

        assert ids(caller.get(TODAY)) == both
        assert ids(filtered) == both
        assert data(caller.get("/api/statistics/"))["today"] == len(both)
        assert [row[1].pk for row in day_sheet] == [first.patient_id, last.patient_id]


@pytest.mark.parametrize("url", [UPCOMING, TODAY])
def test_permissions_of_the_overviews(url, api, appointments, nils):
    assert status_and_code(api().get(url)) == (401, "not_authenticated")
    assert status_and_code(api(nils).get(url)) == (403, "license_not_verified")


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("url", [UPCOMING, TODAY])
def test_the_list_costs_the_same_queries_for_any_length(url, count, api, smith, jane):
    for hour in range(count):
        make_appointment(
            time_slot=make_slot(f"2026-12-02 1{hour + 1}:00", doctor=smith), patient=jane
        )
    client = api(jane)

    with assert_data_queries(4):
        response = client.get(url)

    assert data(response)["count"] == count
