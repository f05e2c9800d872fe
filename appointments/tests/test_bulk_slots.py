"""Bulk creation of slots: conflicting slots are skipped and oversized plans refused."""

from datetime import UTC, date, time, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models.signals import pre_init

from appointments import clock
from appointments.models import TimeSlot
from appointments.slot_services import SlotPlan, open_slots
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import (
    all_rows,
    assert_data_queries,
    clinic_time,
    data,
    error_details,
    make_slot,
    status_and_code,
)

pytestmark = pytest.mark.usefixtures("wednesday")

URL = "/api/time-slots/create_bulk_slots/"


def one_day(date="2026-12-07", start="09:00", end="11:00", minutes=30, **more):
    return {"date": date, "start_time": start, "end_time": end, "slot_duration": minutes} | more


def days(first, last, start="09:00", end="10:00", minutes=30, **more):
    return one_day(None, start, end, minutes, date_from=first, date_to=last, **more) | {"date": ...}


def send(client, body):
    return client.post(URL, {name: value for name, value in body.items() if value is not ...})


def opened(response):
    """Returns [(date, start, end)] of the created slots in a response."""
    return [
        (slot["date"], slot["start_time"][:5], slot["end_time"][:5])
        for slot in data(response, 201)["created"]
    ]


def skipped(response):
    return [tuple(one.values()) for one in data(response, 201)["skipped"]]


def test_a_day_is_divided_into_slots(api, smith):
    response = send(api(smith), one_day())

    assert response.json()["message"] == "Time slots created."
    assert opened(response) == [
        ("2026-12-07", "09:00", "09:30"),
        ("2026-12-07", "09:30", "10:00"),
        ("2026-12-07", "10:00", "10:30"),
        ("2026-12-07", "10:30", "11:00"),
    ]
    assert skipped(response) == []
    assert list(smith.time_slots.values_list("starts_at", flat=True)) == [
        clinic_time("2026-12-07 09:00") + n * timedelta(minutes=30) for n in range(4)
    ]


def test_created_slots_are_shown_as_in_the_list(api, smith):
    client = api(smith)

    made = data(send(client, one_day(end="10:00")), 201)["created"]

    assert made == data(client.get("/api/time-slots/"))["results"]
    assert [slot["is_available"] for slot in made] == [True, True]


def test_a_remainder_too_short_for_a_slot_is_left_free(api, smith):
    response = send(api(smith), one_day(end="10:29"))

    assert [start for _, start, _ in opened(response)] == ["09:00", "09:30"]


def test_breaks_separate_the_slots(api, smith):
    response = send(api(smith), one_day(end="10:45", minutes=20, break_minutes=15))

    assert opened(response) == [
        ("2026-12-07", "09:00", "09:20"),
        ("2026-12-07", "09:35", "09:55"),
        ("2026-12-07", "10:10", "10:30"),
    ]


def test_a_date_range_includes_both_ends(api, smith):
    response = send(api(smith), days("2026-12-05", "2026-12-08", end="09:30"))

    assert [date for date, _, _ in opened(response)] == [
        "2026-12-05",
        "2026-12-06",
        "2026-12-07",
        "2026-12-08",
    ]


def test_a_date_range_is_limited_to_the_weekdays_with_monday_as_0(api, smith):
    response = send(
        api(smith), days("2026-12-07", "2026-12-20", end="09:30", weekdays=[0, 2, 6, 0])
    )

    assert [date for date, _, _ in opened(response)] == [
        "2026-12-07",
        "2026-12-09",
        "2026-12-13",
        "2026-12-14",
        "2026-12-16",
        "2026-12-20",
    ]


def test_skipped_slots_are_listed_with_a_reason(api, smith):
    standing = make_slot("2026-12-02 10:45", doctor=smith)

    response = send(api(smith), one_day("2026-12-02", "09:30", "12:00"))

    assert opened(response) == [("2026-12-02", "11:30", "12:00")]
    assert skipped(response) == [
        ("2026-12-02", "09:30:00", "slot_in_past"),
        ("2026-12-02", "10:00:00", "slot_in_past"),
        ("2026-12-02", "10:30:00", "slot_overlap"),
        ("2026-12-02", "11:00:00", "slot_overlap"),
    ]
    assert TimeSlot.objects.filter(pk=standing.pk).exists()


def test_a_plan_with_only_skipped_slots_succeeds(api, smith):
    client = api(smith)
    send(client, one_day(end="10:00"))
    before = all_rows(TimeSlot)

    again = send(client, one_day(end="10:00"))

    assert (opened(again), [reason for *_, reason in skipped(again)]) == (
        [],
        ["slot_overlap", "slot_overlap"],
    )
    assert all_rows(TimeSlot) == before


def test_withdrawn_slots_and_slots_of_other_doctors_are_ignored(api, smith, meyer, wednesday):
    make_slot("2026-12-07 09:00", doctor=smith, withdrawn_at=wednesday)
    make_slot("2026-12-07 09:30", doctor=meyer)

    response = send(api(smith), one_day(end="10:00"))

    assert (len(opened(response)), skipped(response)) == (2, [])


def test_a_taken_slot_is_not_changed(api, smith):
    held = make_appointment(time_slot=make_slot("2026-12-07 09:00", doctor=smith))

    response = send(api(smith), one_day(end="10:00"))

    assert skipped(response) == [("2026-12-07", "09:00:00", "slot_overlap")]
    held.refresh_from_db()
    assert held.time_slot.withdrawn_at is None


# --- Clock changes --------------------------------------------------------------------------


def test_no_slots_are_created_in_the_skipped_hour_of_spring(api, smith):
    response = send(api(smith), one_day("2027-03-28", "01:00", "04:00"))

    assert opened(response) == [
        ("2027-03-28", "01:00", "01:30"),
        ("2027-03-28", "01:30", "03:00"),
        ("2027-03-28", "03:00", "03:30"),
        ("2027-03-28", "03:30", "04:00"),
    ]
    assert skipped(response) == [
        ("2027-03-28", "02:00:00", "nonexistent_time"),
        ("2027-03-28", "02:30:00", "nonexistent_time"),
    ]
    assert {slot["duration_minutes"] for slot in data(response, 201)["created"]} == {30}


def test_slots_across_the_skipped_hour_do_not_overlap(api, smith):
    response = send(api(smith), one_day("2027-03-28", "01:30", "04:30", 45))

    assert opened(response) == [("2027-03-28", "01:30", "03:15"), ("2027-03-28", "03:45", "04:30")]
    assert skipped(response) == [
        ("2027-03-28", "02:15:00", "nonexistent_time"),
        ("2027-03-28", "03:00:00", "slot_overlap"),
    ]


def test_the_repeated_hour_of_autumn_gets_slots_once(api, smith):
    response = send(api(smith), one_day("2027-10-31", "01:30", "03:30"))

    created = data(response, 201)["created"]
    assert [(slot["starts_at"], slot["duration_minutes"]) for slot in created] == [
        ("2027-10-31T01:30:00+02:00", 30),
        ("2027-10-31T02:00:00+02:00", 30),
        ("2027-10-31T02:30:00+02:00", 30),
        ("2027-10-31T03:00:00+01:00", 30),
    ]


@pytest.mark.parametrize("end", ["23:00", "23:45"])
def test_no_slot_crosses_midnight_when_the_clock_skips_the_last_hour_of_a_day(
    end, api, settings, smith
):
    """In Nuuk the clock skips the hour before midnight; no slot may end in that hour."""
    settings.TIME_ZONE = "America/Nuuk"
    minutes = 60 if end == "23:45" else 30

    response = send(api(smith), one_day("2027-03-27", "21:30", end, minutes))

    assert opened(response)[0][:2] == ("2027-03-27", "21:30")
    assert skipped(response) == [("2027-03-27", "22:30:00", "nonexistent_time")]
    assert {clock.to_clinic_time(slot.ends_at).date() for slot in TimeSlot.objects.all()} == {
        date(2027, 3, 27)
    }


def test_slots_for_a_deactivated_doctor_are_refused(smith):
    type(smith).objects.update(is_active=False)
    plan = SlotPlan([date(2026, 12, 7)], time(9), time(10), timedelta(minutes=30))

    with pytest.raises(ValidationError, match="This doctor's account is closed"):
        open_slots(doctor=smith, plan=plan)

    assert not TimeSlot.objects.exists()


def test_local_start_times_are_kept_across_a_clock_change(api, smith):
    response = send(api(smith), days("2027-03-27", "2027-03-29", end="09:30"))

    assert [slot["start_time"] for slot in data(response, 201)["created"]] == ["09:00:00"] * 3
    assert [
        moment.astimezone(UTC).hour
        for moment in TimeSlot.objects.values_list("starts_at", flat=True)
    ] == [8, 7, 7]


def test_a_plan_across_both_clock_changes_creates_the_right_slots(api, smith):
    body = days("2027-03-21", "2027-11-07", "02:00", "03:30", 30, weekdays=[6])

    response = send(api(smith), body)

    assert skipped(response) == [
        ("2027-03-28", "02:00:00", "nonexistent_time"),
        ("2027-03-28", "02:30:00", "nonexistent_time"),
    ]
    assert {slot["duration_minutes"] for slot in data(response, 201)["created"]} == {30}
    starts = [slot["starts_at"] for slot in data(response, 201)["created"]]
    assert len(starts) == 34 * 3 - 2
    assert [start for start in starts if start[:10] in ("2027-03-28", "2027-10-31")] == [
        "2027-03-28T03:00:00+02:00",
        "2027-10-31T02:00:00+02:00",
        "2027-10-31T02:30:00+02:00",
        "2027-10-31T03:00:00+01:00",
    ]


# --- Limits and invalid input ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (one_day(start="00:00", end="23:59", minutes=5) | {"date": ...}, ["date_from", "date_to"]),
        (days("2027-01-01", "2027-12-31", "09:00", "09:15", 5), ["slot_duration"]),
        (days("2027-01-01", "2027-01-04", "00:00", "23:59", 5), ["slot_duration"]),
        (days("2027-01-01", "2028-01-02", "09:00", "09:30"), ["date_to"]),
        (days("2027-01-01", "2028-01-02", "09:00", "09:30", weekdays=[0]), ["date_to"]),
        (days("2027-01-01", "2200-12-31", "09:00", "09:30"), ["date_to"]),
        (days("2027-01-04", "2027-01-03"), ["date_to"]),
        (days("2027-01-04", ...), ["date_to"]),
        (days(..., "2027-01-04"), ["date_from"]),
        (one_day(date_from="2026-12-07"), ["date_from"]),
        (one_day(weekdays=[0]), ["weekdays"]),
        (days("2027-01-01", "2027-01-31", weekdays=[]), ["weekdays"]),
        (days("2027-01-01", "2027-01-31", weekdays=[7]), ["weekdays"]),
        (days("2027-01-01", "2027-01-31", weekdays=[-1]), ["weekdays"]),
        (days("2027-01-01", "2027-01-31", weekdays="0"), ["weekdays"]),
        (days("2027-01-01", "2027-01-31", weekdays=[0] * 8), ["weekdays"]),
        (one_day(start="11:00", end="09:00"), ["end_time"]),
        (one_day(start="09:00", end="09:00"), ["end_time"]),
        (one_day(minutes=4), ["slot_duration"]),
        (one_day(minutes=-30), ["slot_duration"]),
        (one_day(minutes=10**9), ["slot_duration"]),
        (one_day(minutes="half an hour"), ["slot_duration"]),
        (one_day(minutes=None), ["slot_duration"]),
        (one_day(break_minutes=-30), ["break_minutes"]),
        (one_day(break_minutes=10**9), ["break_minutes"]),
        (one_day("2026-02-30"), ["date"]),
        (one_day("9999-12-31"), ["date"]),
    ],
)
def test_an_oversized_or_invalid_plan_is_refused_and_writes_nothing(body, field, api, smith):
    make_slot(doctor=smith)
    before = all_rows(TimeSlot)

    response = send(api(smith), body)

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == field
    assert all_rows(TimeSlot) == before


def test_a_plan_of_a_thousand_slots_is_accepted(api, smith):
    response = send(api(smith), days("2027-01-01", "2027-04-10", "09:00", "09:50", 5))

    assert len(opened(response)) + len(skipped(response)) == 1000
    assert smith.time_slots.count() == 1000


def test_a_plan_of_366_days_is_accepted(api, smith):
    response = send(api(smith), days("2028-01-01", "2028-12-31", end="09:30"))

    assert len(opened(response)) == 366


def test_an_unknown_field_is_refused(api, smith):
    response = send(api(smith), one_day(colour="red"))

    assert status_and_code(response) == (400, "unknown_field")
    assert TimeSlot.objects.count() == 0


# --- Permissions and atomicity --------------------------------------------------------------


def test_an_admin_must_send_the_doctor(api, ada, meyer):
    client = api(ada)

    unnamed = send(client, one_day())
    named = send(client, one_day(doctor=meyer.pk))

    assert error_details(unnamed)[::2] == (400, {"doctor": ["Say which doctor this is for."]})
    assert len(opened(named)) == meyer.time_slots.count() == 4


def test_a_doctor_cannot_open_slots_for_another(api, smith, meyer):
    response = send(api(smith), one_day(doctor=meyer.pk))

    assert error_details(response)[::2] == (
        400,
        {"doctor": ["There is no such doctor, or you may not act for this one."]},
    )
    assert TimeSlot.objects.count() == 0


def test_an_unverified_doctor_opens_slots_and_a_patient_does_not(api, nils, jane):
    patient_response, doctor_response = (
        send(api(jane), one_day(doctor=nils.pk)),
        send(api(nils), one_day()),
    )

    assert status_and_code(patient_response) == (403, "permission_denied")
    assert [slot["is_available"] for slot in data(doctor_response, 201)["created"]] == [False] * 4


def test_either_all_slots_or_none_are_written(smith):
    """The insert fails at its last row, which collides with a slot written after the check."""
    ten = clinic_time("2026-12-07 10:00")
    plan = SlotPlan([date(2026, 12, 7)], time(9), time(10, 30), timedelta(minutes=30))

    def insert_conflicting_slot(sender, kwargs, **more):
        if kwargs.get("starts_at") == ten:
            pre_init.disconnect(insert_conflicting_slot, sender=TimeSlot)
            TimeSlot.objects.create(
                doctor=smith, starts_at=ten, ends_at=clinic_time("2026-12-07 10:05")
            )

    pre_init.connect(insert_conflicting_slot, sender=TimeSlot)
    try:
        with pytest.raises(IntegrityError):
            open_slots(doctor=smith, plan=plan)
    finally:
        pre_init.disconnect(insert_conflicting_slot, sender=TimeSlot)

    assert TimeSlot.objects.count() == 0


@pytest.mark.parametrize(("end", "count"), [("10:00", 2), ("13:00", 8)])
def test_the_query_count_does_not_depend_on_the_number_of_slots(end, count, api, smith):
    client = api(smith)

    # User, doctor, lock, existing slots, insert, audit event, response.
    with assert_data_queries(7):
        response = send(client, one_day(end=end))

    assert len(opened(response)) == count


def test_working_hours_shorter_than_a_slot_are_refused(api, smith):
    body = {"date": "2027-05-05", "start_time": "09:00", "end_time": "09:20", "slot_duration": 30}

    response = api(smith).post("/api/time-slots/create_bulk_slots/", body)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["slot_duration"]
