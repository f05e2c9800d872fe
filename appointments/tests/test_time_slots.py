"""Endpoints that open, list, change and withdraw time slots."""

import pytest

from appointments.models import TimeSlot
from appointments.tests.helpers import (
    all_rows,
    clinic_time,
    data,
    error_details,
    make_slot,
    status_and_code,
)

pytestmark = pytest.mark.usefixtures("wednesday")


URL = "/api/time-slots/"


def url_of(slot):
    return f"{URL}{slot.pk}/"


def hours(start="09:00", end="09:30", date="2026-12-07", **more):
    return {"date": date, "start_time": start, "end_time": end} | more


# --- Opening --------------------------------------------------------------------------------


def test_a_doctor_opens_a_slot(api, smith):
    response = api(smith).post(URL, hours())

    slot = TimeSlot.objects.get()
    assert response.json()["message"] == "Time slot created."
    assert data(response, 201) == {
        "id": slot.pk,
        "doctor": smith.pk,
        "doctor_name": "John Smith",
        "doctor_specialization": "Cardiology",
        "date": "2026-12-07",
        "start_time": "09:00:00",
        "end_time": "09:30:00",
        "starts_at": "2026-12-07T09:00:00+01:00",
        "ends_at": "2026-12-07T09:30:00+01:00",
        "duration_minutes": 30,
        "is_available": True,
    }
    assert (slot.starts_at, slot.ends_at) == (
        clinic_time("2026-12-07 09:00"),
        clinic_time("2026-12-07 09:30"),
    )


def test_a_doctor_may_send_their_own_id(api, smith):
    response = api(smith).post(URL, hours(doctor=smith.pk))

    assert data(response, 201)["doctor"] == smith.pk


def test_an_unverified_doctor_opens_slots_that_cannot_be_booked_yet(api, nils):
    response = api(nils).post(URL, hours())

    assert data(response, 201)["is_available"] is False
    assert nils.time_slots.count() == 1


@pytest.mark.parametrize("who", ["meyer", "nils"])
def test_an_admin_opens_a_slot_for_a_doctor(who, api, request, ada):
    doctor = request.getfixturevalue(who)

    response = api(ada).post(URL, hours(doctor=doctor.pk))

    assert data(response, 201)["doctor"] == doctor.pk


def test_an_admin_must_send_the_doctor(api, ada):
    response = api(ada).post(URL, hours())

    assert error_details(response)[::2] == (400, {"doctor": ["Say which doctor this is for."]})
    assert TimeSlot.objects.count() == 0


def test_a_slot_cannot_be_opened_for_another_doctor_or_for_a_patient(api, smith, meyer, ada, jane):
    answers = {
        meyer.pk: api(smith).post(URL, hours(doctor=meyer.pk)),
        meyer.pk + 1000: api(smith).post(URL, hours(doctor=meyer.pk + 1000)),
        jane.pk: api(ada).post(URL, hours(doctor=jane.pk)),
    }

    for answer in answers.values():
        assert error_details(answer)[::2] == (
            400,
            {"doctor": ["There is no such doctor, or you may not act for this one."]},
        )
    assert TimeSlot.objects.count() == 0


@pytest.mark.parametrize(
    ("who", "expected"),
    [("jane", (403, "permission_denied")), ("anonymous", (401, "not_authenticated"))],
)
def test_patients_and_anonymous_users_cannot_write_slots(who, expected, api, request, smith):
    client = api(None if who == "anonymous" else request.getfixturevalue(who))
    slot = make_slot(doctor=smith)
    before = all_rows(TimeSlot)

    answers = [
        client.post(URL, hours("11:00", "11:30", doctor=smith.pk)),
        client.post(f"{URL}create_bulk_slots/", {}),
        client.put(url_of(slot), hours("11:00", "11:30")),
        client.patch(url_of(slot), {"end_time": "10:00"}),
        client.delete(url_of(slot)),
        client.delete(f"{URL}{slot.pk + 1000}/"),
    ]

    assert [status_and_code(answer) for answer in answers] == [expected] * 6
    assert all_rows(TimeSlot) == before


OVERLAPS = {
    "the same": ("09:00", "10:00"),
    "over the start": ("08:30", "09:05"),
    "over the end": ("09:55", "10:30"),
    "within": ("09:15", "09:45"),
    "around": ("08:00", "11:00"),
    "from the same start": ("09:00", "09:30"),
    "to the same end": ("09:30", "10:00"),
}


@pytest.mark.parametrize("shape", OVERLAPS)
@pytest.mark.parametrize("who", ["smith", "ada"])
def test_an_overlapping_slot_is_a_conflict(who, shape, api, request, smith):
    make_slot("2026-12-07 09:00", 60, doctor=smith)
    before = all_rows(TimeSlot)

    response = api(request.getfixturevalue(who)).post(URL, hours(*OVERLAPS[shape], doctor=smith.pk))

    assert error_details(response) == (
        409,
        "slot_overlap",
        {"start_time": ["The doctor has another slot at that time."]},
    )
    assert all_rows(TimeSlot) == before


@pytest.mark.parametrize("times", [("08:30", "09:00"), ("10:00", "10:30")])
def test_adjacent_slots_are_allowed(times, api, smith):
    make_slot("2026-12-07 09:00", 60, doctor=smith)

    response = api(smith).post(URL, hours(*times))

    assert data(response, 201)["start_time"] == f"{times[0]}:00"
    assert smith.time_slots.count() == 2


@pytest.mark.parametrize("shape", OVERLAPS)
def test_slots_of_two_doctors_may_overlap(shape, api, smith, meyer):
    make_slot("2026-12-07 09:00", 60, doctor=smith)

    response = api(meyer).post(URL, hours(*OVERLAPS[shape]))

    assert data(response, 201)["doctor"] == meyer.pk


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (hours("09:30", "09:00"), "end_time"),
        (hours("09:00", "09:00"), "end_time"),
        (hours("23:30", "00:15"), "end_time"),
        (hours("23:30", "00:00"), "end_time"),
        (hours("23:30", "24:00"), "end_time"),
        (hours("09:00", "09:04"), "end_time"),
        (hours("09:00", "09:04:59"), "end_time"),
        (hours("25:00", "26:00"), ["start_time", "end_time"]),
        (hours("09:00Z", "09:30"), "start_time"),
        (hours("09:00:00.5", "09:30"), "start_time"),
        (hours(9, "09:30"), "start_time"),
        (hours(date="2027-02-29"), "date"),
        (hours(date="9999-12-31"), "date"),
        (hours(date="0001-01-01"), "date"),
        (hours(date="07.12.2026"), "date"),
        (hours(date=None), "date"),
        (hours(doctor="me"), "doctor"),
    ],
)
def test_an_invalid_slot_is_refused_by_field_name(body, field, api, smith):
    response = api(smith).post(URL, body)

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == (field if isinstance(field, list) else [field])
    assert TimeSlot.objects.count() == 0


def test_a_slot_may_last_from_five_minutes_to_a_whole_day(api, smith):
    client = api(smith)

    short = client.post(URL, hours("09:00", "09:05"))
    long = client.post(URL, hours("00:00", "23:59:59", date="2026-12-08"))

    assert data(short, 201)["duration_minutes"] == 5
    assert data(long, 201)["end_time"] == "23:59:59"


@pytest.mark.parametrize("start", ["09:59:59", "10:00"])
def test_a_slot_cannot_start_in_the_past(start, api, smith):
    response = api(smith).post(URL, hours(start, "10:30", date="2026-12-02"))

    assert error_details(response) == (
        400,
        "slot_in_past",
        {"start_time": ["This time is in the past."]},
    )
    assert TimeSlot.objects.count() == 0


def test_a_slot_may_start_in_the_next_second(api, smith):
    response = api(smith).post(URL, hours("10:00:01", "10:30", date="2026-12-02"))

    assert data(response, 201)["is_available"] is True


@pytest.mark.parametrize(
    "body", [{}, hours() | {"date": ...}, hours() | {"start_time": ..., "end_time": ...}]
)
def test_missing_fields_are_named(body, api, smith):
    given = {name: value for name, value in body.items() if value is not ...}

    response = api(smith).post(URL, given)

    assert error_details(response)[2] == {
        name: ["This field is required."]
        for name in ("date", "start_time", "end_time")
        if name not in given
    }
    assert TimeSlot.objects.count() == 0


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"is_available": True}, "validation_error"),
        ({"starts_at": "2026-12-07T09:00:00+01:00"}, "validation_error"),
        ({"id": 7}, "validation_error"),
        ({"withdrawn_at": None}, "unknown_field"),
        ({"patient": 1}, "unknown_field"),
    ],
)
def test_a_new_slot_refuses_unknown_and_read_only_fields(more, expected, api, smith):
    response = api(smith).post(URL, hours(**more))

    assert status_and_code(response) == (400, expected)
    assert list(error_details(response)[2]) == list(more)
    assert TimeSlot.objects.count() == 0


# --- Clock changes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "field"),
    [
        (("02:30", "03:30"), "start_time"),
        (("02:00", "03:30"), "start_time"),
        (("01:30", "02:30"), "end_time"),
        (("02:15", "02:45"), "start_time"),
    ],
)
def test_a_time_skipped_in_spring_is_refused(times, field, api, smith):
    response = api(smith).post(URL, hours(*times, date="2027-03-28"))

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == [field]
    assert "does not exist on 2027-03-28" in response.json()["message"]
    assert TimeSlot.objects.count() == 0


def test_a_slot_across_the_skipped_hour_is_an_hour_shorter(api, smith):
    response = api(smith).post(URL, hours("01:30", "03:00", date="2027-03-28"))

    told = data(response, 201)
    assert (told["starts_at"], told["ends_at"], told["duration_minutes"]) == (
        "2027-03-28T01:30:00+01:00",
        "2027-03-28T03:00:00+02:00",
        30,
    )


def test_the_minimum_of_five_minutes_is_elapsed_time(api, smith):
    response = api(smith).post(URL, hours("01:58", "03:00", date="2027-03-28"))

    assert error_details(response)[::2] == (
        400,
        {"end_time": ["A slot must last 5 minutes or longer."]},
    )
    assert TimeSlot.objects.count() == 0


def test_a_repeated_time_in_autumn_means_the_first_one(api, smith):
    response = api(smith).post(URL, hours("02:00", "02:30", date="2027-10-31"))

    told = data(response, 201)
    assert (told["starts_at"], told["ends_at"], told["duration_minutes"]) == (
        "2027-10-31T02:00:00+02:00",
        "2027-10-31T02:30:00+02:00",
        30,
    )


def test_a_slot_across_the_repeated_hour_is_an_hour_longer(api, smith):
    response = api(smith).post(URL, hours("01:30", "03:30", date="2027-10-31"))

    assert data(response, 201)["duration_minutes"] == 180


def test_a_half_hour_slot_in_the_repeated_hour_lasts_thirty_minutes(api, smith):
    """02:30 occurs twice in that night; only the second 02:30 is 30 minutes before 03:00."""
    response = api(smith).post(URL, hours("02:30", "03:00", date="2027-10-31"))

    slot = data(response, 201)
    assert slot["duration_minutes"] == 30
    assert slot["starts_at"] == "2027-10-31T02:30:00+01:00"
