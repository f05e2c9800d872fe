"""The endpoint that books an appointment."""

import pytest

from appointments.models import Appointment, TimeSlot
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import (
    GONE_PATIENT,
    GONE_SLOT,
    assert_data_queries,
    data,
    error_details,
    make_slot,
    status_and_code,
)
from patients import services as patients

pytestmark = pytest.mark.usefixtures("wednesday")


URL = "/api/appointments/"


ARABIC_ZERO = 0x660


def booking(slot, **details):
    return {"time_slot": slot.pk, "reason_for_visit": "A cough"} | details


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
        "consultation": None,
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
    assert told["allowed"] == ["confirm", "cancel", "reschedule"]


def test_an_admin_books_any_patient_into_any_slot(api, ada, meyer, omar):
    response = api(ada).post(URL, booking(make_slot(doctor=meyer), patient=omar.pk))

    told = data(response, 201)
    assert (told["patient"], told["doctor"], told["booked_by"]) == (omar.pk, meyer.pk, ada.pk)


def test_a_patient_cannot_book_for_another_or_learn_if_one_exists(api, smith, jane, omar):
    slot, missing_id = make_slot(doctor=smith), omar.pk + 1000

    another = api(jane).post(URL, booking(slot, patient=omar.pk))
    missing = api(jane).post(URL, booking(slot, patient=missing_id))

    assert error_details(another) == (
        400,
        "validation_error",
        {"patient": [GONE_PATIENT]},
    )
    assert error_details(missing)[2] == {"patient": [GONE_PATIENT]}
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
        {"time_slot": [GONE_SLOT]},
    )
    assert Appointment.objects.count() == 0


def test_a_deactivated_patient_is_not_booked(api, smith, jane, ada):
    slot = make_slot(doctor=smith)
    patients.deactivate(jane, by=ada)

    response = api(ada).post(URL, booking(slot, patient=jane.pk))

    assert error_details(response)[::2] == (
        400,
        {"patient": [GONE_PATIENT]},
    )
    assert Appointment.objects.count() == 0


# --- Query counts ---------------------------------------------------------------------------


@pytest.mark.parametrize(("who", "statements"), [("jane", 8), ("smith", 9), ("ada", 9)])
def test_query_count_of_a_booking(*, who, statements, api, request, smith, jane):
    client = api(request.getfixturevalue(who))
    named = {} if who == "jane" else {"patient": jane.pk}
    body = booking(make_slot(doctor=smith), **named)

    with assert_data_queries(statements):
        response = client.post(URL, body)

    assert data(response, 201)["patient"] == jane.pk
    assert TimeSlot.objects.free().count() == 0
