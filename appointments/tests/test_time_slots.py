"""Endpoints that open, list, change and withdraw time slots."""

from datetime import time

import pytest
from django.core.exceptions import ValidationError

from appointments import clock, services
from appointments.models import Appointment, TimeSlot
from appointments.slot_services import change_slot, open_slot, withdraw
from appointments.tests.factories import TimeSlotFactory, make_appointment
from appointments.tests.helpers import (
    all_rows,
    assert_data_queries,
    clinic_time,
    data,
    error_details,
    ids,
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

    for pk, answer in answers.items():
        assert error_details(answer)[::2] == (
            400,
            {"doctor": [f'Invalid pk "{pk}" - object does not exist.']},
        )
    assert TimeSlot.objects.count() == 0


@pytest.mark.parametrize(
    ("who", "expected"),
    [("jane", (403, "permission_denied")), ("stranger", (401, "not_authenticated"))],
)
def test_patients_and_anonymous_users_cannot_write_slots(who, expected, api, request, smith):
    client = api(None if who == "stranger" else request.getfixturevalue(who))
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


# --- Visibility -----------------------------------------------------------------------------


@pytest.fixture
def slots(smith, meyer, nils, jane, wednesday):
    """Slots in every state, by name."""
    taken = make_slot("2026-12-08 09:00", doctor=smith)
    make_appointment(time_slot=taken, patient=jane)
    return {
        "free": make_slot("2026-12-07 09:00", doctor=smith),
        "taken": taken,
        "past": make_slot("2026-12-01 09:00", doctor=smith),
        "withdrawn": make_slot("2026-12-09 09:00", doctor=smith, withdrawn_at=wednesday),
        "meyer's": make_slot("2026-12-10 09:00", doctor=meyer),
        "unverified": make_slot("2026-12-11 09:00", doctor=nils),
    }


IN_LIST = {
    "jane": ["free", "meyer's"],
    "omar": ["free", "meyer's"],
    "smith": ["past", "free", "taken"],
    "meyer": ["meyer's"],
    "nils": ["unverified"],
    "ada": ["past", "free", "taken", "meyer's", "unverified"],
}
BY_ID = IN_LIST | {
    "jane": ["past", "free", "taken", "meyer's"],
    "omar": ["past", "free", "taken", "meyer's"],
}


@pytest.mark.parametrize("who", IN_LIST)
def test_each_role_lists_its_visible_slots(who, api, request, slots):
    names = {slot.pk: name for name, slot in slots.items()}

    response = api(request.getfixturevalue(who)).get(URL)

    assert [names[pk] for pk in ids(response)] == IN_LIST[who]


@pytest.mark.parametrize("who", BY_ID)
def test_each_role_retrieves_its_visible_slots(who, api, request, slots):
    client = api(request.getfixturevalue(who))

    answers = {name: client.get(url_of(slot)) for name, slot in slots.items()}

    seen = {name for name, answer in answers.items() if answer.status_code == 200}
    assert seen == set(BY_ID[who])
    out_of_sight = {
        str(answer.json() | {"request_id": None})
        for name, answer in answers.items()
        if name not in seen
    }
    missing = client.get(f"{URL}9999999/").json() | {"request_id": None}
    assert out_of_sight == {str(missing)}


def test_an_anonymous_request_is_401(api, slots):
    assert status_and_code(api().get(URL)) == (401, "not_authenticated")
    assert status_and_code(api().get(url_of(slots["free"]))) == (401, "not_authenticated")


def test_availability_is_computed(api, slots, ada):
    available = {row["id"]: row["is_available"] for row in data(api(ada).get(URL))["results"]}

    assert {name: available.get(slot.pk) for name, slot in slots.items()} == {
        "free": True,
        "taken": False,
        "past": False,
        "withdrawn": None,
        "meyer's": True,
        "unverified": False,
    }


def test_slots_of_a_deactivated_doctor_are_not_offered(api, slots, meyer, jane):
    type(meyer).objects.filter(pk=meyer.pk).update(is_active=False)
    client = api(jane)

    assert ids(client.get(URL)) == [slots["free"].pk]
    assert status_and_code(client.get(url_of(slots["meyer's"]))) == (404, "not_found")


def test_a_cancellation_makes_the_slot_available_again(api, slots, smith, jane):
    client = api(jane)

    services.move(Appointment.objects.get(), "cancel", by=jane)

    assert data(client.get(url_of(slots["taken"])))["is_available"] is True


def test_a_taken_slot_does_not_reveal_the_patient(api, slots, omar, smith):
    for person in (omar, smith):
        response = api(person).get(url_of(slots["taken"]))

        assert set(data(response)) == {
            "id",
            "doctor",
            "doctor_name",
            "doctor_specialization",
            "date",
            "start_time",
            "end_time",
            "starts_at",
            "ends_at",
            "duration_minutes",
            "is_available",
        }
        assert b"Jane" not in response.content


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"available": "true"}, ["free", "meyer's"]),
        ({"available": "false"}, ["past", "taken", "unverified"]),
        ({"date": "2026-12-07"}, ["free"]),
        ({"date": "2026-12-09"}, []),
        ({"date_after": "2026-12-08"}, ["taken", "meyer's", "unverified"]),
        ({"date_before": "2026-12-07"}, ["past", "free"]),
        ({"date_after": "2026-12-07", "date_before": "2026-12-08"}, ["free", "taken"]),
        ({"specialization": "dermatology"}, ["meyer's"]),
        ({"specialization": "Derma"}, []),
        ({"doctor": 9_999_999}, []),
    ],
)
def test_the_list_is_filtered(asked, found, api, ada, slots):
    names = {slot.pk: name for name, slot in slots.items()}

    response = api(ada).get(URL, asked)

    assert [names[pk] for pk in ids(response)] == found


def test_the_list_is_filtered_by_doctor(api, ada, slots, meyer):
    assert ids(api(ada).get(URL, {"doctor": meyer.pk})) == [slots["meyer's"].pk]


def test_no_filter_shows_a_patient_more_slots(api, jane, slots, nils, smith):
    client = api(jane)

    assert ids(client.get(URL, {"available": "false"})) == []
    assert ids(client.get(URL, {"doctor": nils.pk})) == []
    assert ids(client.get(URL, {"doctor": smith.pk})) == [slots["free"].pk]


@pytest.mark.parametrize(
    ("query", "expected", "field"),
    [
        ("available=yes", "validation_error", "available"),
        ("date=x", "validation_error", "date"),
        ("doctor=x", "validation_error", "doctor"),
        ("is_available=true", "unknown_parameter", "is_available"),
        ("ordering=starts_at", "unknown_parameter", "ordering"),
        ("search=smith", "unknown_parameter", "search"),
    ],
)
def test_an_invalid_parameter_is_refused_by_name(*, query, expected, field, api, jane, slots):
    response = api(jane).get(f"{URL}?{query}")

    assert status_and_code(response) == (400, expected)
    assert list(error_details(response)[2]) == [field]


# --- Changes --------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["smith", "ada"])
def test_the_time_of_a_slot_is_changed(who, api, request, smith):
    slot = make_slot("2026-12-07 09:00", doctor=smith)

    response = api(request.getfixturevalue(who)).put(
        url_of(slot), hours("10:00", "10:45", date="2026-12-08")
    )

    told = data(response)
    assert response.json()["message"] == "Time slot updated."
    assert (told["id"], told["starts_at"], told["ends_at"]) == (
        slot.pk,
        "2026-12-08T10:00:00+01:00",
        "2026-12-08T10:45:00+01:00",
    )
    slot.refresh_from_db()
    assert slot.starts_at == clinic_time("2026-12-08 10:00")


def test_a_patch_keeps_omitted_fields(api, smith):
    slot = make_slot("2026-12-07 09:00", doctor=smith)

    response = api(smith).patch(url_of(slot), {"end_time": "10:15"})

    told = data(response)
    assert (told["date"], told["start_time"], told["end_time"]) == (
        "2026-12-07",
        "09:00:00",
        "10:15:00",
    )


def test_a_put_requires_the_times(api, smith):
    slot = make_slot(doctor=smith)
    before = all_rows(TimeSlot)

    response = api(smith).put(url_of(slot), {"date": "2026-12-08"})

    assert error_details(response)[2] == {
        "start_time": ["This field is required."],
        "end_time": ["This field is required."],
    }
    assert all_rows(TimeSlot) == before


def test_a_get_response_can_be_put_back(api, smith):
    slot, client = make_slot(doctor=smith), api(smith)
    shown = data(client.get(url_of(slot)))

    response = client.put(url_of(slot), shown)

    assert data(response) == shown


@pytest.mark.parametrize(
    "field", ["id", "doctor", "doctor_name", "starts_at", "ends_at", "duration_minutes"]
)
def test_a_changed_read_only_field_is_refused(field, api, ada, smith, meyer):
    slot = make_slot(doctor=smith)
    before = all_rows(TimeSlot)

    response = api(ada).patch(url_of(slot), {"end_time": "11:00", field: meyer.pk})

    assert error_details(response)[::2] == (400, {field: ["This field is read-only."]})
    assert all_rows(TimeSlot) == before


def test_availability_is_read_only(api, smith):
    slot = make_slot(doctor=smith)

    response = api(smith).patch(url_of(slot), {"is_available": False})

    assert error_details(response)[::2] == (400, {"is_available": ["This field is read-only."]})


def test_a_slot_cannot_be_moved_onto_another_but_onto_its_own_old_time(api, smith):
    slot = make_slot("2026-12-07 09:00", doctor=smith)
    make_slot("2026-12-07 10:00", doctor=smith)
    client = api(smith)

    onto = client.patch(url_of(slot), {"end_time": "10:15"})
    over_itself = client.patch(url_of(slot), {"start_time": "09:15", "end_time": "10:00"})

    assert status_and_code(onto) == (409, "slot_overlap")
    assert data(over_itself)["start_time"] == "09:15:00"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"end_time": "08:00"}, "validation_error"),
        ({"end_time": "09:04"}, "validation_error"),
        ({"date": "2026-12-01"}, "slot_in_past"),
        (hours("02:30", "03:30", date="2027-03-28"), "validation_error"),
    ],
)
def test_a_slot_cannot_be_moved_to_an_invalid_time(body, expected, api, smith):
    slot = make_slot("2026-12-07 09:00", doctor=smith)
    before = all_rows(TimeSlot)

    response = api(smith).patch(url_of(slot), body)

    assert status_and_code(response) == (400, expected)
    assert all_rows(TimeSlot) == before


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("who", ["meyer", "nils"])
def test_the_slot_of_another_doctor_is_404(who, method, api, request, smith):
    slot, client = make_slot(doctor=smith), api(request.getfixturevalue(who))
    before = all_rows(TimeSlot)

    answers = [
        getattr(client, method)(f"{URL}{pk}/", hours("11:00", "11:30"))
        for pk in (slot.pk, slot.pk + 1000)
    ]

    assert [status_and_code(answer) for answer in answers] == [(404, "not_found")] * 2
    assert all_rows(TimeSlot) == before


@pytest.mark.parametrize("status", ["scheduled", "confirmed", "completed", "no_show"])
@pytest.mark.parametrize("method", ["put", "patch", "delete"])
@pytest.mark.parametrize("who", ["smith", "ada"])
def test_a_taken_slot_is_neither_changed_nor_withdrawn(*, who, method, status, api, request, smith):
    slot = make_appointment(status, doctor=smith).time_slot
    before = all_rows(TimeSlot, Appointment)

    response = getattr(api(request.getfixturevalue(who)), method)(
        url_of(slot), hours("11:00", "11:30")
    )

    assert error_details(response) == (
        409,
        "slot_in_use",
        {"time_slot": ["This time slot has an appointment. Cancel or reschedule it first."]},
    )
    assert all_rows(TimeSlot, Appointment) == before


@pytest.mark.parametrize("method", ["patch", "delete"])
def test_a_slot_can_be_changed_and_withdrawn_after_a_cancellation(method, api, smith):
    cancelled = make_appointment("cancelled", time_slot=make_slot(doctor=smith))

    response = getattr(api(smith), method)(url_of(cancelled.time_slot), {"end_time": "10:00"})

    assert response.status_code == {"patch": 200, "delete": 204}[method]
    starts_at = cancelled.starts_at
    cancelled.refresh_from_db()
    assert cancelled.starts_at == starts_at


# --- Withdrawing ----------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["smith", "ada"])
def test_a_withdrawn_slot_is_404_and_its_row_is_kept(
    *, who, api, request, wednesday, smith, jane, ada
):
    slot = make_slot("2026-12-07 09:00", doctor=smith)

    response = api(request.getfixturevalue(who)).delete(url_of(slot))

    assert (response.status_code, response.content) == (204, b"")
    slot.refresh_from_db()
    assert slot.withdrawn_at == wednesday
    for person in (smith, jane, ada):
        client = api(person)
        assert ids(client.get(URL)) == []
        assert status_and_code(client.get(url_of(slot))) == (404, "not_found")
    assert status_and_code(api(ada).delete(url_of(slot))) == (404, "not_found")
    assert status_and_code(api(ada).patch(url_of(slot), {"end_time": "10:00"})) == (
        404,
        "not_found",
    )


def test_a_withdrawn_slot_does_not_overlap_others(api, smith):
    client = api(smith)
    client.delete(url_of(make_slot("2026-12-07 09:00", doctor=smith)))

    response = client.post(URL, hours("09:00", "09:30"))

    assert data(response, 201)["is_available"] is True
    assert TimeSlot.objects.count() == 2


def test_a_past_slot_can_be_withdrawn(api, smith):
    slot = make_slot("2026-12-01 09:00", doctor=smith)

    response = api(smith).delete(url_of(slot))

    assert response.status_code == 204


# --- Query counts ---------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("who", ["jane", "smith", "nils", "ada"])
def test_the_list_costs_the_same_queries_for_any_length(who, count, api, request, smith):
    person = request.getfixturevalue(who)
    for _ in range(count):
        TimeSlotFactory(doctor=person if who == "nils" else smith)
    client = api(person)

    with assert_data_queries(3):
        response = client.get(URL)

    assert data(response)["count"] == count


@pytest.mark.parametrize("who", ["jane", "smith", "ada"])
def test_a_detail_costs_two_queries(who, api, request, smith):
    slot, client = make_slot(doctor=smith), api(request.getfixturevalue(who))

    with assert_data_queries(2):
        response = client.get(url_of(slot))

    assert data(response)["id"] == slot.pk


def test_a_patient_no_longer_sees_a_slot_after_its_start(api, smith, jane):
    slot, client = make_slot("2026-12-07 09:00", doctor=smith), api(jane)

    with clock.frozen_at(clinic_time("2026-12-07 08:59")):
        before = ids(client.get(URL))
    with clock.frozen_at(clinic_time("2026-12-07 09:00")):
        after = ids(client.get(URL))

    assert (before, after) == ([slot.pk], [])


@pytest.mark.parametrize("act", [change_slot, withdraw])
def test_a_concurrently_withdrawn_slot_is_not_changed(smith, act):
    stale = make_slot(doctor=smith)
    withdraw(stale)
    before = TimeSlot.objects.values().get(pk=stale.pk)

    with pytest.raises(ValidationError):
        act(stale)

    assert TimeSlot.objects.values().get(pk=stale.pk) == before


def test_a_half_hour_slot_in_the_repeated_hour_lasts_thirty_minutes(api, smith):
    """02:30 occurs twice in that night; only the second 02:30 is 30 minutes before 03:00."""
    response = api(smith).post(URL, hours("02:30", "03:00", date="2027-10-31"))

    slot = data(response, 201)
    assert slot["duration_minutes"] == 30
    assert slot["starts_at"] == "2027-10-31T02:30:00+01:00"


def test_a_get_response_of_a_slot_in_the_repeated_hour_can_be_put_back(api, smith):
    plan = {"date": "2027-10-31", "start_time": "02:30", "end_time": "03:00", "slot_duration": 30}
    client = api(smith)
    slot = data(client.post(f"{URL}create_bulk_slots/", plan), 201)["created"][0]

    response = client.put(f"{URL}{slot['id']}/", slot)

    assert response.status_code == 200
    assert data(response) == slot


def test_the_service_refuses_an_overlap_before_the_database_does(smith):
    standing = make_slot("2026-12-07 09:00", doctor=smith)
    other = make_slot("2026-12-07 11:00", doctor=smith)
    before = all_rows(TimeSlot)

    with pytest.raises(ValidationError) as opened:
        open_slot(doctor=smith, date=standing.date, start_time=time(9, 15), end_time=time(9, 45))
    with pytest.raises(ValidationError) as moved:
        change_slot(other, start_time=time(9, 15), end_time=time(9, 45))

    for refused in (opened, moved):
        [error] = refused.value.error_dict["start_time"]
        assert error.code == "slot_overlap"
    assert all_rows(TimeSlot) == before
