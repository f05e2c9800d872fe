"""Endpoints that change and withdraw time slots."""

from datetime import time

import pytest
from django.core.exceptions import ValidationError

from appointments.models import Appointment, TimeSlot
from appointments.slot_services import change_slot, open_slot, withdraw
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import (
    all_rows,
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


@pytest.mark.parametrize("act", [change_slot, withdraw])
def test_a_concurrently_withdrawn_slot_is_not_changed(smith, act):
    stale = make_slot(doctor=smith)
    withdraw(stale)
    before = TimeSlot.objects.values().get(pk=stale.pk)

    with pytest.raises(ValidationError):
        act(stale)

    assert TimeSlot.objects.values().get(pk=stale.pk) == before


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
