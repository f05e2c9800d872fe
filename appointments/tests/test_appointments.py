"""Endpoints that list, retrieve, book and change appointments."""

from datetime import timedelta

import pytest

from appointments import clock
from appointments.lifecycle import Status
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import (
    all_rows,
    assert_data_queries,
    data,
    error_details,
    ids,
    make_slot,
    status_and_code,
)

pytestmark = pytest.mark.usefixtures("wednesday")


URL = "/api/appointments/"


def url_of(appointment):
    return f"{URL}{appointment.pk}/"


def booking(slot, **details):
    return {"time_slot": slot.pk, "reason_for_visit": "A cough"} | details


def without_request_id(response):
    return response.json() | {"request_id": None}


# --- Permissions ----------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["get", "post"])
def test_an_anonymous_request_is_401(method, api, smith):
    make_appointment(doctor=smith)

    response = getattr(api(), method)(URL)

    assert status_and_code(response) == (401, "not_authenticated")
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_an_unverified_doctor_cannot_access_appointments(api, smith, jane):
    mine = make_appointment(doctor=smith, patient=jane)
    type(smith).objects.update(license_verified=False)
    smith.refresh_from_db()
    before = all_rows(Appointment, AppointmentHistory)
    client = api(smith)

    answers = [
        client.get(URL),
        client.get(url_of(mine)),
        client.get(f"{url_of(mine)}history/"),
        client.post(URL, booking(make_slot(doctor=smith), patient=jane.pk)),
        client.patch(url_of(mine), {"doctor_notes": "Mine"}),
    ]

    assert [status_and_code(answer) for answer in answers] == [(403, "license_not_verified")] * 5
    assert all_rows(Appointment, AppointmentHistory) == before


@pytest.mark.parametrize("method", ["get", "put", "patch"])
@pytest.mark.parametrize("who", ["jane", "smith"])
def test_the_appointment_of_another_and_a_missing_one_are_both_404(
    *, who, method, api, request, meyer, omar
):
    person, anothers = request.getfixturevalue(who), make_appointment(doctor=meyer, patient=omar)
    before = all_rows(Appointment, AppointmentHistory)
    client, body = api(person), {} if method == "get" else {"reason_for_visit": "Mine now"}

    invisible = getattr(client, method)(url_of(anothers), body)
    missing = getattr(client, method)(f"{URL}{anothers.pk + 1000}/", body)

    assert status_and_code(invisible) == (404, "not_found")
    assert without_request_id(invisible) == without_request_id(missing)
    assert all_rows(Appointment, AppointmentHistory) == before


def test_an_appointment_cannot_be_deleted(api, ada):
    appointment = make_appointment()

    response = api(ada).delete(url_of(appointment))

    assert status_and_code(response) == (405, "method_not_allowed")
    assert Appointment.objects.count() == 1


# --- Lists ----------------------------------------------------------------------------------


def test_users_list_their_own_appointments_and_admins_all(*, api, smith, meyer, jane, omar, ada):
    one = make_appointment(doctor=smith, patient=jane).pk
    two = make_appointment(doctor=smith, patient=omar).pk
    three = make_appointment(doctor=meyer, patient=jane).pk

    assert set(ids(api(jane).get(URL))) == {one, three}
    assert set(ids(api(omar).get(URL))) == {two}
    assert set(ids(api(smith).get(URL))) == {one, two}
    assert set(ids(api(meyer).get(URL))) == {three}
    assert set(ids(api(ada).get(URL))) == {one, two, three}


def test_doctor_notes_are_never_shown_to_the_patient(api, smith, jane):
    notes = "Between us colleagues"
    appointment = make_appointment(doctor=smith, patient=jane, doctor_notes=notes)
    other_slot = make_slot("2026-12-08 09:00", doctor=smith)
    patient_client, doctor_client = api(jane), api(smith)

    answers = [
        patient_client.get(URL),
        patient_client.get(url_of(appointment)),
        patient_client.patch(url_of(appointment), {"symptoms": "Fever"}),
        patient_client.get("/api/upcoming/"),
        patient_client.post(f"{url_of(appointment)}reschedule/", {"time_slot": other_slot.pk}),
        patient_client.get(f"{url_of(appointment)}history/"),
        patient_client.post(f"{url_of(appointment)}cancel/"),
    ]

    assert [answer.status_code for answer in answers] == [200] * 7
    assert [b"doctor_notes" in answer.content for answer in answers] == [False] * 7
    assert [notes.encode() in answer.content for answer in answers] == [False] * 7
    assert data(doctor_client.get(url_of(appointment)))["doctor_notes"] == notes
    assert patient_client.get(URL, {"search": "colleagues"}).json()["data"]["count"] == 0


def test_a_list_is_paginated(api, smith):
    mine = [make_appointment(doctor=smith).pk for _ in range(3)]
    client = api(smith)

    first = data(client.get(URL, {"page_size": 2}))
    second = data(client.get(URL, {"page_size": 2, "page": 2}))

    assert list(first) == ["count", "next", "previous", "results"]
    assert (first["count"], first["previous"], second["next"]) == (3, None, None)
    assert [row["id"] for row in first["results"] + second["results"]] == mine[::-1]


@pytest.fixture
def three(smith, meyer, jane, omar):
    """Appointments on Monday, Tuesday and Wednesday that differ in every field with a filter."""
    monday = make_appointment(
        "confirmed",
        time_slot=make_slot("2026-12-07 00:00", doctor=smith),
        patient=jane,
        priority="urgent",
        consultation_type="emergency",
        reason_for_visit="Chest pain",
    )
    tuesday = make_appointment(
        time_slot=make_slot("2026-12-08 23:30", 29, doctor=smith), patient=omar, priority="low"
    )
    wednesday = make_appointment(
        "cancelled",
        time_slot=make_slot("2026-12-09 09:00", doctor=meyer),
        patient=jane,
        consultation_type="follow_up",
    )
    return {monday.pk: "monday", tuesday.pk: "tuesday", wednesday.pk: "wednesday"}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["wednesday", "tuesday", "monday"]),
        ({"status": "confirmed"}, ["monday"]),
        ({"status": "completed"}, []),
        ({"date": "2026-12-07"}, ["monday"]),
        ({"date": "2026-12-06"}, []),
        ({"date": "2026-12-08"}, ["tuesday"]),
        ({"date_after": "2026-12-08"}, ["wednesday", "tuesday"]),
        ({"date_before": "2026-12-08"}, ["tuesday", "monday"]),
        ({"date_after": "2026-12-08", "date_before": "2026-12-08"}, ["tuesday"]),
        ({"consultation_type": "follow_up"}, ["wednesday"]),
        ({"priority": "urgent"}, ["monday"]),
        ({"priority": "urgent", "status": "cancelled"}, []),
        ({"doctor": 9_999_999}, []),
        ({"patient": 2**70}, []),
        ({"search": "jane"}, ["wednesday", "monday"]),
        ({"search": "jane smith"}, ["monday"]),
        ({"search": "CHEST"}, ["monday"]),
        ({"search": "nobody"}, []),
        ({"ordering": "starts_at"}, ["monday", "tuesday", "wednesday"]),
        ({"ordering": "-starts_at"}, ["wednesday", "tuesday", "monday"]),
        ({"ordering": "priority"}, ["tuesday", "wednesday", "monday"]),
        ({"ordering": "-priority"}, ["monday", "wednesday", "tuesday"]),
        ({"ordering": "status"}, ["tuesday", "monday", "wednesday"]),
        ({"ordering": "-status"}, ["wednesday", "monday", "tuesday"]),
    ],
)
def test_a_list_is_filtered_and_ordered(asked, found, api, ada, three):
    response = api(ada).get(URL, asked)

    assert [three[pk] for pk in ids(response)] == found


def test_a_list_is_filtered_by_doctor_and_patient(api, ada, smith, omar, three):
    client = api(ada)

    assert [three[pk] for pk in ids(client.get(URL, {"doctor": smith.pk}))] == [
        "tuesday",
        "monday",
    ]
    assert [three[pk] for pk in ids(client.get(URL, {"patient": omar.pk}))] == ["tuesday"]


def test_no_filter_widens_the_visible_rows(api, omar, smith, jane, three):
    client = api(omar)

    for asked in ({"patient": jane.pk}, {"status": "confirmed"}, {"search": "jane"}):
        assert ids(client.get(URL, asked)) == []
    assert [three[pk] for pk in ids(client.get(URL, {"doctor": smith.pk}))] == ["tuesday"]


def test_priorities_are_ordered_by_urgency(api, ada):
    for priority in ("low", "urgent", "medium", "high"):
        make_appointment(priority=priority)
    client = api(ada)

    ascending = data(client.get(URL, {"ordering": "priority"}))["results"]
    descending = data(client.get(URL, {"ordering": "-priority"}))["results"]

    assert [row["priority"] for row in ascending] == ["low", "medium", "high", "urgent"]
    assert [row["priority"] for row in descending] == ["urgent", "high", "medium", "low"]


def test_statuses_are_ordered_by_lifecycle(api, ada):
    for status in sorted(Status):
        make_appointment(status)

    rows = data(api(ada).get(URL, {"ordering": "status"}))["results"]

    assert [row["status"] for row in rows] == [
        "scheduled",
        "confirmed",
        "in_progress",
        "completed",
        "cancelled",
        "no_show",
    ]


def test_a_list_is_ordered_by_newest_booking(api, smith, wednesday):
    with clock.frozen_at(wednesday + timedelta(minutes=1)):
        late = make_appointment(time_slot=make_slot("2026-12-07 09:00", doctor=smith)).pk
    early = make_appointment(time_slot=make_slot("2026-12-08 09:00", doctor=smith)).pk
    client = api(smith)

    assert ids(client.get(URL, {"ordering": "-created_at"})) == [late, early]
    assert ids(client.get(URL, {"ordering": "created_at"})) == [early, late]


@pytest.mark.parametrize(
    ("query", "expected", "field"),
    [
        ("colour=red", "unknown_parameter", "colour"),
        ("doctor_notes=x", "unknown_parameter", "doctor_notes"),
        ("patient__email=x", "unknown_parameter", "patient__email"),
        ("status=open", "validation_error", "status"),
        ("priority=asap", "validation_error", "priority"),
        ("consultation_type=x", "validation_error", "consultation_type"),
        ("ordering=doctor_notes", "validation_error", "ordering"),
        ("ordering=patient__email", "validation_error", "ordering"),
        ("date=2026-02-30", "validation_error", "date"),
        ("date=tomorrow", "validation_error", "date"),
        ("date_after=0001-01-01", "validation_error", "date_after"),
        ("date_before=9999-12-31", "validation_error", "date_before"),
        ("doctor=1.9", "validation_error", "doctor"),
        ("patient=%201", "validation_error", "patient"),
        ("doctor=1&doctor=2", "validation_error", "doctor"),
        ("search=" + "word%20" * 3000, "validation_error", "search"),
        ("page=0", "validation_error", "page"),
        ("page_size=x", "validation_error", "page_size"),
    ],
)
def test_an_invalid_parameter_is_refused_by_name(query, expected, field, api, ada):
    make_appointment()

    response = api(ada).get(f"{URL}?{query}")

    assert status_and_code(response) == (400, expected)
    assert list(error_details(response)[2]) == [field]


# --- Query counts ---------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("who", ["jane", "smith", "ada"])
def test_the_list_costs_the_same_queries_for_any_length(*, who, count, api, request, smith, jane):
    client = api(request.getfixturevalue(who))
    for _ in range(count):
        make_appointment(doctor=smith, patient=jane)

    with assert_data_queries(4):
        response = client.get(URL)

    assert data(response)["count"] == count


@pytest.mark.parametrize("who", ["jane", "smith", "ada"])
def test_a_detail_costs_three_queries(who, api, request, smith, jane):
    client = api(request.getfixturevalue(who))
    appointment = make_appointment(doctor=smith, patient=jane)

    with assert_data_queries(3):
        response = client.get(url_of(appointment))

    assert data(response)["id"] == appointment.pk
