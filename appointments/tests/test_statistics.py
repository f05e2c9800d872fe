"""Statistics over the appointments a caller can see, compared with counts made by hand."""

from datetime import timedelta

import pytest
from django.utils import timezone

from appointments import clock, services
from appointments.models import Appointment
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import (
    assert_data_queries,
    clinic_time,
    data,
    error_details,
    make_slot,
    status_and_code,
)

pytestmark = pytest.mark.usefixtures("wednesday")

URL = "/api/statistics/"
NOTHING = dict.fromkeys(
    ["scheduled", "confirmed", "in_progress", "completed", "cancelled", "no_show"], 0
)


def visit(local, doctor, patient, *steps):
    """An appointment booked a day ahead; each action runs when the visit begins."""
    slot = make_slot(local, doctor=doctor)
    with clock.frozen_at(slot.starts_at - timedelta(days=1)):
        appointment = make_appointment(time_slot=slot, patient=patient)
    with clock.frozen_at(slot.starts_at):
        for step in steps:
            services.move(appointment, step, by=doctor)
    return appointment


@pytest.fixture
def appointments(smith, meyer, jane, omar):
    """Appointments around Wednesday, 2 December, 10:00."""
    visit("2026-10-31 23:30", smith, jane, "complete")  # the month before last
    visit("2026-11-01 00:00", smith, jane, "complete")  # last month, its first minute
    visit("2026-11-16 09:00", smith, omar, "complete")
    visit("2026-11-17 09:00", smith, jane, "no_show")
    visit("2026-11-30 23:30", meyer, jane, "complete")  # last month, its last hour
    visit("2026-12-01 00:00", meyer, omar, "cancel")  # this month, but cancelled
    visit("2026-12-02 00:00", smith, jane, "complete")  # today, its first minute
    visit("2026-12-02 09:00", smith, omar, "start")
    visit("2026-12-02 12:00", smith, jane)
    visit("2026-12-02 13:00", smith, omar, "cancel")
    visit("2026-12-02 23:30", meyer, jane, "confirm")  # today, its last hour
    visit("2026-12-03 00:00", meyer, omar)  # tomorrow
    visit("2026-12-31 09:00", smith, omar, "confirm")
    visit("2027-01-01 00:00", smith, jane)  # next month


def test_statistics_of_a_doctor(api, appointments, smith):
    assert data(api(smith).get(URL)) == {
        "total": 10,
        "by_status": {
            "scheduled": 2,
            "confirmed": 1,
            "in_progress": 1,
            "completed": 4,
            "cancelled": 1,
            "no_show": 1,
        },
        "today": 3,
        "upcoming": 3,
        "this_month": 4,
        "last_month": 3,
        "completion_rate": 0.6667,  # 4 of 6
        "no_show_rate": 0.2,  # 1 of 5
        "busiest_times": [
            {"start_time": "09:00:00", "count": 4},
            {"start_time": "00:00:00", "count": 3},
            {"start_time": "12:00:00", "count": 1},
            {"start_time": "23:30:00", "count": 1},
        ],
    }


def test_statistics_of_a_patient(api, appointments, jane):
    assert data(api(jane).get(URL)) == {
        "total": 8,
        "by_status": NOTHING | {"scheduled": 2, "confirmed": 1, "completed": 4, "no_show": 1},
        "today": 3,
        "upcoming": 3,
        "this_month": 3,
        "last_month": 3,
        "completion_rate": 0.8,  # 4 of 5
        "no_show_rate": 0.2,  # 1 of 5
        "busiest_times": [
            {"start_time": "00:00:00", "count": 3},
            {"start_time": "23:30:00", "count": 3},
            {"start_time": "09:00:00", "count": 1},
            {"start_time": "12:00:00", "count": 1},
        ],
    }


def test_statistics_of_an_admin(api, appointments, ada):
    assert data(api(ada).get(URL)) == {
        "total": 14,
        "by_status": {
            "scheduled": 3,
            "confirmed": 2,
            "in_progress": 1,
            "completed": 5,
            "cancelled": 2,
            "no_show": 1,
        },
        "today": 4,
        "upcoming": 5,
        "this_month": 6,
        "last_month": 4,
        "completion_rate": 0.625,  # 5 of 8
        "no_show_rate": 0.1667,  # 1 of 6
        "busiest_times": [
            {"start_time": "00:00:00", "count": 4},
            {"start_time": "09:00:00", "count": 4},
            {"start_time": "23:30:00", "count": 3},
            {"start_time": "12:00:00", "count": 1},
        ],
    }


@pytest.mark.parametrize("who", ["jane", "omar", "smith", "meyer", "ada"])
def test_statistics_match_the_list_of_the_caller(who, api, request, appointments):
    client = api(request.getfixturevalue(who))

    told = data(client.get(URL))

    rows = data(client.get("/api/appointments/", {"page_size": 100}))["results"]
    assert told["total"] == len(rows) == sum(told["by_status"].values())
    assert told["by_status"] == {
        status: sum(row["status"] == status for row in rows) for status in NOTHING
    }
    assert told["upcoming"] == data(client.get("/api/upcoming/"))["count"]
    assert told["today"] == data(client.get("/api/today/"))["count"]


def test_rates_are_null_without_appointments(api, appointments, nils, ada):
    type(nils).objects.filter(pk=nils.pk).update(license_verified=True)
    nils.refresh_from_db()

    assert data(api(nils).get(URL)) == {
        "total": 0,
        "by_status": NOTHING,
        "today": 0,
        "upcoming": 0,
        "this_month": 0,
        "last_month": 0,
        "completion_rate": None,
        "no_show_rate": None,
        "busiest_times": [],
    }


def test_each_rate_has_its_own_denominator(api, smith, jane):
    visit("2026-12-01 09:00", smith, jane, "cancel")

    told = data(api(smith).get(URL))

    assert (told["completion_rate"], told["no_show_rate"]) == (0, None)


@pytest.mark.parametrize(
    ("asked", "total", "completed"),
    [
        ({"date_after": "2026-12-02"}, 8, 1),
        ({"date_before": "2026-11-30"}, 5, 4),
        ({"date_after": "2026-11-01", "date_before": "2026-11-30"}, 4, 3),
        ({"date_after": "2026-12-02", "date_before": "2026-12-02"}, 5, 1),
        ({"date_after": "2026-12-03", "date_before": "2026-12-02"}, 0, 0),
    ],
)
def test_dates_filter_all_numbers_but_today_upcoming_and_months(
    *, asked, total, completed, api, appointments, ada
):
    client = api(ada)
    always = ("today", "upcoming", "this_month", "last_month")
    unnarrowed = data(client.get(URL))

    told = data(client.get(URL, asked))

    assert (told["total"], told["by_status"]["completed"]) == (total, completed)
    assert {name: told[name] for name in always} == {name: unnarrowed[name] for name in always}


def test_dates_filter_rates_and_busiest_times(api, appointments, ada):
    told = data(api(ada).get(URL, {"date_after": "2026-11-16", "date_before": "2026-11-17"}))

    assert (told["completion_rate"], told["no_show_rate"]) == (0.5, 0.5)
    assert told["busiest_times"] == [{"start_time": "09:00:00", "count": 2}]


def test_busiest_times_are_local_in_summer_and_winter(api, smith, jane):
    visit("2026-07-15 09:00", smith, jane)
    visit("2026-11-16 09:00", smith, jane)

    with timezone.override("America/New_York"):
        told = data(api(smith).get(URL))

    assert told["busiest_times"] == [{"start_time": "09:00:00", "count": 2}]


def test_the_five_busiest_times_are_listed_without_cancelled_appointments(api, smith, jane):
    for hour in range(8, 15):
        visit(f"2026-11-16 {hour:02}:00", smith, jane)
    visit("2026-11-17 14:00", smith, jane)
    visit("2026-11-17 13:00", smith, jane, "cancel")

    told = data(api(smith).get(URL))

    assert told["busiest_times"] == [
        {"start_time": "14:00:00", "count": 2},
        {"start_time": "08:00:00", "count": 1},
        {"start_time": "09:00:00", "count": 1},
        {"start_time": "10:00:00", "count": 1},
        {"start_time": "11:00:00", "count": 1},
    ]


@pytest.mark.parametrize(
    ("now", "this_month", "last_month"),
    [
        ("2026-12-31 23:59", 6, 4),
        ("2027-01-01 00:00", 1, 6),
        ("2026-10-31 23:59", 1, 0),
        ("2026-11-30 23:59", 4, 1),
    ],
)
def test_months_are_local_calendar_months(*, now, this_month, last_month, api, appointments, ada):
    client = api(ada)

    with clock.frozen_at(clinic_time(now)):
        told = data(client.get(URL))

    assert (told["this_month"], told["last_month"]) == (this_month, last_month)


def test_permissions_of_the_statistics(api, appointments, nils):
    assert status_and_code(api().get(URL)) == (401, "not_authenticated")
    assert status_and_code(api(nils).get(URL)) == (403, "license_not_verified")


@pytest.mark.parametrize(
    ("asked", "expected", "field"),
    [
        ({"date_after": "x"}, "validation_error", "date_after"),
        ({"date_before": "9999-12-31"}, "validation_error", "date_before"),
        ({"doctor": 1}, "unknown_parameter", "doctor"),
        ({"patient": 1}, "unknown_parameter", "patient"),
    ],
)
def test_an_invalid_parameter_is_refused_by_name(
    *, asked, expected, field, api, appointments, jane
):
    response = api(jane).get(URL, asked)

    assert status_and_code(response) == (400, expected)
    assert list(error_details(response)[2]) == [field]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("who", ["jane", "smith", "ada"])
def test_statistics_cost_the_same_queries_for_any_number_of_appointments(
    *, who, count, api, request, smith, jane
):
    for _ in range(count):
        make_appointment(doctor=smith, patient=jane)
    client = api(request.getfixturevalue(who))

    with assert_data_queries(3):  # user, statistics, audit event
        response = client.get(URL)

    assert data(response)["total"] == count == Appointment.objects.count()
