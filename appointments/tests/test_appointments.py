"""Endpoints that list, retrieve, book and change appointments."""

from datetime import timedelta

import pytest

from appointments import clock, services
from appointments.lifecycle import Status
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.tests.factories import make_appointment
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
from patients import services as patients

pytestmark = pytest.mark.usefixtures("wednesday")

URL = "/api/appointments/"
ARABIC_ZERO = 0x660


def url_of(appointment):
    return f"{URL}{appointment.pk}/"


def booking(slot, **details):
    return {"time_slot": slot.pk, "reason_for_visit": "A cough"} | details


def without_request_id(response):
    return response.json() | {"request_id": None}


# --- Booking --------------------------------------------------------------------------------


def test_a_patient_books_for_themselves(api, smith, jane):
    slot = make_slot("2026-12-07 09:00", doctor=smith)

    response = api(jane).post(URL, booking(slot, priority="high", contact_phone="+49 30 1234567"))

    appointment = Appointment.objects.get()
    assert response.json()["message"] == "Appointment booked."
    assert data(response, 201) == {
        "id": appointment.pk,
        "patient": jane.pk,
        "patient_name": "Jane Doe",
        "doctor": smith.pk,
        "doctor_name": "John Smith",
        "doctor_specialization": "Cardiology",
        "time_slot": slot.pk,
        "date": "2026-12-07",
        "start_time": "09:00:00",
        "end_time": "09:30:00",
        "starts_at": "2026-12-07T09:00:00+01:00",
        "ends_at": "2026-12-07T09:30:00+01:00",
        "status": "scheduled",
        "consultation_type": "general",
        "priority": "high",
        "reason_for_visit": "A cough",
        "symptoms": "",
        "contact_phone": "+49 30 1234567",
        "patient_notes": "",
        "allowed": ["cancel", "reschedule"],
        "booked_by": jane.pk,
        "created_at": "2026-12-02T10:00:00+01:00",
        "updated_at": "2026-12-02T10:00:00+01:00",
    }
    assert [entry.action for entry in appointment.history.all()] == ["book"]


def test_a_patient_may_send_their_own_id(api, smith, jane):
    response = api(jane).post(URL, booking(make_slot(doctor=smith), patient=jane.pk))

    assert data(response, 201)["patient"] == jane.pk


def test_a_doctor_books_a_patient_into_their_own_slot(api, smith, jane):
    slot = make_slot(doctor=smith)

    response = api(smith).post(URL, booking(slot, patient=jane.pk, doctor_notes="Bring X-rays"))

    told = data(response, 201)
    assert (told["patient"], told["doctor"], told["booked_by"]) == (jane.pk, smith.pk, smith.pk)
    assert told["doctor_notes"] == "Bring X-rays"
    assert told["allowed"] == ["confirm", "start", "complete", "cancel", "reschedule"]


def test_an_admin_books_any_patient_into_any_slot(api, ada, meyer, omar):
    response = api(ada).post(URL, booking(make_slot(doctor=meyer), patient=omar.pk))

    told = data(response, 201)
    assert (told["patient"], told["doctor"], told["booked_by"]) == (omar.pk, meyer.pk, ada.pk)


def test_a_patient_cannot_book_for_another_or_learn_if_one_exists(api, smith, jane, omar):
    slot, nobody = make_slot(doctor=smith), omar.pk + 1000

    another = api(jane).post(URL, booking(slot, patient=omar.pk))
    missing = api(jane).post(URL, booking(slot, patient=nobody))

    assert error_details(another) == (
        400,
        "validation_error",
        {"patient": [f'Invalid pk "{omar.pk}" - object does not exist.']},
    )
    assert error_details(missing)[2] == {
        "patient": [f'Invalid pk "{nobody}" - object does not exist.']
    }
    assert Appointment.objects.count() == 0


def test_a_doctor_cannot_book_the_slot_of_another_doctor(api, smith, meyer, jane):
    slot = make_slot(doctor=meyer)

    response = api(smith).post(URL, booking(slot, patient=jane.pk))

    assert error_details(response)[0] == 400
    assert list(error_details(response)[2]) == ["time_slot"]
    assert Appointment.objects.count() == 0


@pytest.mark.parametrize("who", ["smith", "ada"])
def test_staff_must_send_the_patient(who, api, request, smith):
    person = request.getfixturevalue(who)

    response = api(person).post(URL, booking(make_slot(doctor=smith)))

    assert error_details(response)[::2] == (400, {"patient": ["Say which patient this is for."]})
    assert Appointment.objects.count() == 0


def test_a_patient_cannot_send_doctor_notes(api, smith, jane):
    response = api(jane).post(URL, booking(make_slot(doctor=smith), doctor_notes="I am fine"))

    assert status_and_code(response) == (400, "unknown_field")
    assert list(error_details(response)[2]) == ["doctor_notes"]
    assert Appointment.objects.count() == 0


@pytest.mark.parametrize("name", ["status", "doctor", "starts_at", "booked_by", "id", "colour"])
def test_a_booking_refuses_unknown_and_read_only_fields(name, api, smith, jane):
    response = api(jane).post(URL, booking(make_slot(doctor=smith)) | {name: 1})

    assert status_and_code(response) == (400, "unknown_field")
    assert list(error_details(response)[2]) == [name]
    assert Appointment.objects.count() == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("reason_for_visit", ""),
        ("reason_for_visit", "   "),
        ("reason_for_visit", None),
        ("reason_for_visit", "a\0b"),
        ("reason_for_visit", ["a"]),
        ("consultation_type", "surgery"),
        ("priority", "HIGH"),
        ("contact_phone", "call me"),
        ("contact_phone", "1" * 33),
        ("symptoms", None),
    ],
)
def test_an_invalid_value_is_refused_by_field_name(field, value, api, smith, jane):
    response = api(jane).post(URL, booking(make_slot(doctor=smith)) | {field: value})

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == [field]
    assert Appointment.objects.count() == 0


def test_missing_fields_are_named(api, jane):
    response = api(jane).post(URL, {})

    assert error_details(response)[2] == {
        "time_slot": ["This field is required."],
        "reason_for_visit": ["This field is required."],
    }


@pytest.mark.parametrize(
    "damage",
    [
        lambda pk: pk + 0.9,
        lambda pk: f" {pk} ",
        lambda pk: f"{pk}\0",
        lambda pk: f"+{pk}",
        lambda pk: [pk],
        lambda pk: {"id": pk},
        lambda pk: True,
        lambda pk: None,
        lambda pk: -pk,
        lambda pk: pk + 2**64,
        lambda pk: "".join(chr(ARABIC_ZERO + int(digit)) for digit in str(pk)),
    ],
)
def test_a_non_canonical_slot_id_is_refused(damage, api, smith, jane):
    slot = make_slot(doctor=smith, id=1)

    response = api(jane).post(URL, booking(slot) | {"time_slot": damage(slot.pk)})

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == ["time_slot"]
    assert Appointment.objects.count() == 0


def test_a_taken_slot_is_a_conflict(api, smith, jane, omar):
    taken = make_appointment(doctor=smith, patient=omar).time_slot

    response = api(jane).post(URL, booking(taken))

    assert error_details(response) == (
        409,
        "slot_taken",
        {"time_slot": ["This time slot is taken."]},
    )
    assert response.json()["details"] == {"alternatives": []}
    assert Appointment.objects.count() == 1


def test_a_slot_in_the_past_is_refused(api, smith, jane):
    slot = make_slot("2026-12-02 10:00", doctor=smith)

    response = api(jane).post(URL, booking(slot))

    assert error_details(response) == (
        400,
        "slot_in_past",
        {"time_slot": ["This time slot is in the past."]},
    )
    assert Appointment.objects.count() == 0


def test_overlapping_appointments_of_a_patient_are_a_conflict(api, smith, meyer, jane):
    make_appointment(time_slot=make_slot("2026-12-07 09:00", doctor=smith), patient=jane)
    slot = make_slot("2026-12-07 09:15", doctor=meyer)

    response = api(jane).post(URL, booking(slot))

    assert status_and_code(response) == (409, "patient_overlap")
    assert Appointment.objects.count() == 1


@pytest.mark.parametrize("who", ["jane", "ada"])
def test_the_slot_of_an_unbookable_doctor_is_not_booked(who, api, request, nils, jane):
    person, slot = request.getfixturevalue(who), make_slot(doctor=nils)

    response = api(person).post(URL, booking(slot, patient=jane.pk))

    assert error_details(response)[0] == 400
    assert list(error_details(response)[2]) == ["time_slot"]
    assert Appointment.objects.count() == 0


@pytest.mark.parametrize("who", ["jane", "smith", "ada"])
def test_a_withdrawn_slot_is_not_booked(*, who, api, request, wednesday, smith, jane):
    person, slot = request.getfixturevalue(who), make_slot(doctor=smith, withdrawn_at=wednesday)

    response = api(person).post(URL, booking(slot, patient=jane.pk))

    assert error_details(response)[::2] == (
        400,
        {"time_slot": [f'Invalid pk "{slot.pk}" - object does not exist.']},
    )
    assert Appointment.objects.count() == 0


def test_a_deactivated_patient_is_not_booked(api, smith, jane, ada):
    slot = make_slot(doctor=smith)
    patients.deactivate(jane, by=ada)

    response = api(ada).post(URL, booking(slot, patient=jane.pk))

    assert error_details(response)[::2] == (
        400,
        {"patient": [f'Invalid pk "{jane.pk}" - object does not exist.']},
    )
    assert Appointment.objects.count() == 0


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

    out_of_sight = getattr(client, method)(url_of(anothers), body)
    missing = getattr(client, method)(f"{URL}{anothers.pk + 1000}/", body)

    assert status_and_code(out_of_sight) == (404, "not_found")
    assert without_request_id(out_of_sight) == without_request_id(missing)
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
    hers, his = api(jane), api(smith)

    answers = [
        hers.get(URL),
        hers.get(url_of(appointment)),
        hers.patch(url_of(appointment), {"symptoms": "Fever"}),
        hers.get("/api/upcoming/"),
        hers.post(f"{url_of(appointment)}reschedule/", {"time_slot": other_slot.pk}),
        hers.get(f"{url_of(appointment)}history/"),
        hers.post(f"{url_of(appointment)}cancel/"),
    ]

    assert [answer.status_code for answer in answers] == [200] * 7
    assert [b"doctor_notes" in answer.content for answer in answers] == [False] * 7
    assert [notes.encode() in answer.content for answer in answers] == [False] * 7
    assert data(his.get(url_of(appointment)))["doctor_notes"] == notes
    assert hers.get(URL, {"search": "colleagues"}).json()["data"]["count"] == 0


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


# --- Changes --------------------------------------------------------------------------------

DETAILS = {
    "consultation_type": "specialist",
    "priority": "urgent",
    "reason_for_visit": "Chest pain",
    "symptoms": "Short breath",
    "contact_phone": "030 1234567",
    "patient_notes": "In a hurry",
}


@pytest.mark.parametrize("status", ["scheduled", "confirmed"])
@pytest.mark.parametrize("who", ["jane", "smith", "ada"])
def test_patient_doctor_and_admin_change_visit_details(*, who, status, api, request, smith, jane):
    person = request.getfixturevalue(who)
    appointment = make_appointment(status, doctor=smith, patient=jane)

    response = api(person).patch(url_of(appointment), DETAILS)

    told = data(response)
    assert {name: told[name] for name in DETAILS} == DETAILS
    assert response.json()["message"] == "Appointment updated."
    entry = appointment.history.last()
    assert (entry.action, entry.changes, entry.changed_by_id) == (
        "updated",
        sorted(DETAILS),
        person.pk,
    )


def test_a_put_requires_the_reason_and_keeps_omitted_fields(api, smith):
    appointment = make_appointment(doctor=smith, symptoms="Fever", doctor_notes="Careful")
    client = api(smith)

    refused = client.put(url_of(appointment), {"priority": "low"})
    answer = client.put(url_of(appointment), {"reason_for_visit": "A cold"})

    assert error_details(refused)[::2] == (400, {"reason_for_visit": ["This field is required."]})
    told = data(answer)
    assert (told["reason_for_visit"], told["priority"]) == ("A cold", "medium")
    assert (told["symptoms"], told["doctor_notes"]) == ("Fever", "Careful")


def test_a_patch_requires_no_field(api, smith):
    appointment = make_appointment(doctor=smith)

    response = api(smith).patch(url_of(appointment), {})

    assert data(response)["id"] == appointment.pk
    assert appointment.history.count() == 1


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize("who", ["jane", "smith", "ada"])
def test_a_get_response_can_be_put_back(*, who, method, api, request, smith, jane):
    client = api(request.getfixturevalue(who))
    appointment = make_appointment("confirmed", doctor=smith, patient=jane)
    shown = data(client.get(url_of(appointment)))

    response = getattr(client, method)(url_of(appointment), shown | {"symptoms": "Fever"})

    assert data(response) == shown | {"symptoms": "Fever"}
    assert appointment.history.last().changes == ["symptoms"]


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(
    "field",
    [
        "id",
        "patient",
        "patient_name",
        "doctor",
        "doctor_name",
        "doctor_specialization",
        "time_slot",
        "date",
        "start_time",
        "end_time",
        "starts_at",
        "ends_at",
        "booked_by",
        "created_at",
        "updated_at",
    ],
)
def test_a_changed_read_only_field_is_refused(*, field, method, api, smith, meyer, jane, omar):
    appointment = make_appointment(doctor=smith, patient=jane)
    others = {
        "patient": omar.pk,
        "doctor": meyer.pk,
        "booked_by": smith.pk,
        "time_slot": make_slot("2026-12-08 09:00", doctor=smith).pk,
    }
    before = all_rows(Appointment, AppointmentHistory)
    body = {"reason_for_visit": "New", field: others.get(field, "2030-01-01T09:00:00+01:00")}

    response = getattr(api(smith), method)(url_of(appointment), body)

    assert error_details(response) == (
        400,
        "validation_error",
        {field: ["This field is read-only."]},
    )
    assert all_rows(Appointment, AppointmentHistory) == before


def test_an_unknown_field_is_refused(api, smith):
    appointment = make_appointment(doctor=smith)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(smith).patch(url_of(appointment), {"symptoms": "New", "colour": "red"})

    assert status_and_code(response) == (400, "unknown_field")
    assert list(error_details(response)[2]) == ["colour"]
    assert all_rows(Appointment, AppointmentHistory) == before


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"doctor_notes": "I am fine"}, "unknown_field"),
        ({"status": "completed"}, "validation_error"),
        ({"status": "cancelled"}, "validation_error"),
    ],
)
@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_patient_cannot_send_doctor_notes_or_a_status(
    *, method, body, expected, api, smith, jane
):
    appointment = make_appointment(doctor=smith, patient=jane)
    before = all_rows(Appointment, AppointmentHistory)

    response = getattr(api(jane), method)(url_of(appointment), {"reason_for_visit": "New"} | body)

    assert status_and_code(response) == (400, expected)
    assert list(error_details(response)[2]) == list(body)
    assert all_rows(Appointment, AppointmentHistory) == before


@pytest.mark.parametrize("status", ["in_progress", "completed", "cancelled", "no_show"])
@pytest.mark.parametrize("who", ["jane", "smith", "ada"])
def test_visit_details_are_fixed_once_the_appointment_is_not_upcoming(
    *, who, status, api, request, smith, jane
):
    appointment = make_appointment(status, doctor=smith, patient=jane)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(request.getfixturevalue(who)).patch(url_of(appointment), {"symptoms": "New"})

    assert status_and_code(response) == (409, "invalid_transition")
    assert list(response.json()["details"]) == ["allowed"]
    assert all_rows(Appointment, AppointmentHistory) == before


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("who", ["smith", "ada"])
def test_staff_can_always_write_doctor_notes(who, status, api, request, smith):
    appointment = make_appointment(status, doctor=smith)

    response = api(request.getfixturevalue(who)).patch(
        url_of(appointment), {"doctor_notes": "Call back"}
    )

    assert (data(response)["doctor_notes"], data(response)["status"]) == ("Call back", status)


@pytest.mark.parametrize("method", ["put", "patch"])
@pytest.mark.parametrize(
    ("status", "action"),
    [
        ("confirmed", "confirm"),
        ("in_progress", "start"),
        ("completed", "complete"),
        ("cancelled", "cancel"),
    ],
)
def test_a_status_runs_its_transition(status, action, method, api, smith):
    appointment = make_appointment(doctor=smith)
    body = {"reason_for_visit": appointment.reason_for_visit, "status": status}

    response = getattr(api(smith), method)(url_of(appointment), body)

    assert data(response)["status"] == status
    entry = appointment.history.last()
    assert (appointment.history.count(), entry.action, entry.changed_by_id) == (
        2,
        action,
        smith.pk,
    )


def test_no_show_by_status_is_refused_before_the_start(api, smith):
    appointment = make_appointment(doctor=smith)
    client, body = api(smith), {"status": "no_show"}

    early = client.patch(url_of(appointment), body)
    with clock.frozen_at(appointment.starts_at):
        late = client.patch(url_of(appointment), body)

    assert status_and_code(early) == (409, "invalid_transition")
    assert data(late)["status"] == "no_show"
    assert appointment.history.count() == 2


def test_an_unchanged_status_is_no_transition(api, smith):
    appointment = make_appointment("confirmed", doctor=smith)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(smith).patch(url_of(appointment), {"status": "confirmed"})

    assert data(response)["status"] == "confirmed"
    assert all_rows(Appointment, AppointmentHistory) == before


@pytest.mark.parametrize(
    ("now", "asked", "allowed"),
    [
        ("confirmed", "scheduled", ["start", "complete", "cancel", "reschedule"]),
        ("in_progress", "confirmed", ["complete", "cancel"]),
        ("completed", "cancelled", []),
        ("cancelled", "scheduled", []),
    ],
)
def test_a_status_without_a_transition_is_a_conflict(now, asked, allowed, api, smith):
    appointment = make_appointment(now, doctor=smith)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(smith).patch(url_of(appointment), {"status": asked, "doctor_notes": "Lost"})

    assert status_and_code(response) == (409, "invalid_transition")
    assert response.json()["details"] == {"allowed": allowed}
    assert list(error_details(response)[2]) == ["status"]
    assert all_rows(Appointment, AppointmentHistory) == before


def test_an_unknown_status_is_refused(api, smith):
    appointment = make_appointment(doctor=smith)

    response = api(smith).patch(url_of(appointment), {"status": "done"})

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == ["status"]


def test_details_and_status_write_two_history_entries(api, smith):
    appointment = make_appointment(doctor=smith)

    response = api(smith).patch(
        url_of(appointment), {"status": "in_progress", "symptoms": "Fever", "doctor_notes": "Hot"}
    )

    told = data(response)
    assert (told["status"], told["symptoms"], told["doctor_notes"]) == (
        "in_progress",
        "Fever",
        "Hot",
    )
    assert [(entry.action, entry.changes) for entry in appointment.history.all()] == [
        ("book", []),
        ("updated", ["doctor_notes", "symptoms"]),
        ("start", []),
    ]


def test_allowed_actions_depend_on_reader_and_time(api, smith, jane, ada):
    slot = make_slot("2026-12-07 09:00", doctor=smith)
    appointment = make_appointment("confirmed", time_slot=slot, patient=jane)

    def allowed(person):
        return data(api(person).get(url_of(appointment)))["allowed"]

    assert allowed(jane) == ["cancel", "reschedule"]
    assert allowed(smith) == allowed(ada) == ["start", "complete", "cancel", "reschedule"]
    with clock.frozen_at(clinic_time("2026-12-07 09:01")):
        assert allowed(jane) == ["reschedule"]
        assert allowed(smith) == ["start", "complete", "no_show", "cancel", "reschedule"]
    services.move(appointment, "complete", by=smith)
    assert allowed(jane) == allowed(smith) == allowed(ada) == []


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


@pytest.mark.parametrize(("who", "statements"), [("jane", 8), ("smith", 9), ("ada", 9)])
def test_query_count_of_a_booking(*, who, statements, api, request, smith, jane):
    client = api(request.getfixturevalue(who))
    named = {} if who == "jane" else {"patient": jane.pk}
    body = booking(make_slot(doctor=smith), **named)

    with assert_data_queries(statements):
        response = client.post(URL, body)

    assert data(response, 201)["patient"] == jane.pk
    assert TimeSlot.objects.free().count() == 0
