"""Endpoints that change an appointment: PUT, PATCH and a status in the body."""

from datetime import timedelta

import pytest

from appointments import clock, services
from appointments.lifecycle import Status
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import make_appointment, make_appointment_of_today
from appointments.tests.helpers import (
    all_rows,
    clinic_time,
    data,
    error_details,
    make_slot,
    status_and_code,
)

pytestmark = pytest.mark.usefixtures("wednesday")


URL = "/api/appointments/"


def url_of(appointment):
    return f"{URL}{appointment.pk}/"


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


@pytest.mark.parametrize("name", DETAILS)
def test_each_visit_detail_is_fixed_once_the_appointment_is_completed(name, api, smith):
    appointment = make_appointment("completed", doctor=smith)

    response = api(smith).patch(url_of(appointment), {name: DETAILS[name]})

    assert status_and_code(response) == (409, "invalid_transition")


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
    appointment = make_appointment_of_today(doctor=smith)
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

    too_early = client.patch(url_of(appointment), body)
    with clock.frozen_at(appointment.starts_at - timedelta(minutes=1)):
        early = client.patch(url_of(appointment), body)
    with clock.frozen_at(appointment.starts_at):
        late = client.patch(url_of(appointment), body)

    assert status_and_code(too_early) == (409, "too_early")
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
        ("confirmed", "scheduled", ["cancel", "reschedule"]),
        ("in_progress", "confirmed", ["cancel", "reopen"]),
        ("completed", "cancelled", ["reopen"]),
        ("cancelled", "scheduled", ["reopen"]),
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
    appointment = make_appointment_of_today(doctor=smith)

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
    assert allowed(smith) == allowed(ada) == ["cancel", "reschedule"]
    with clock.frozen_at(clinic_time("2026-12-07 00:00")):
        assert allowed(jane) == ["cancel", "reschedule"]
        assert allowed(smith) == ["start", "complete", "cancel", "reschedule"]
    with clock.frozen_at(clinic_time("2026-12-07 09:01")):
        assert allowed(jane) == []
        assert allowed(smith) == ["start", "complete", "no_show", "cancel", "reschedule"]
        services.move(appointment, "complete", by=smith)
    assert (allowed(jane), allowed(smith), allowed(ada)) == ([], ["reopen"], ["reopen"])
    with clock.frozen_at(clinic_time("2026-12-10 09:02")):
        assert (allowed(jane), allowed(smith), allowed(ada)) == ([], [], ["reopen"])
