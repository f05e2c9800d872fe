"""The reschedule action: moving an appointment to another slot of the same doctor."""

import pytest

from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import (
    GONE_SLOT,
    all_rows,
    data,
    error_details,
    make_slot,
    status_and_code,
)
from patients import services as patients

pytestmark = pytest.mark.usefixtures("wednesday")


@pytest.fixture
def monday(smith):
    return make_slot("2026-12-07 09:00", doctor=smith)


@pytest.fixture
def tuesday(smith):
    return make_slot("2026-12-08 11:00", 45, doctor=smith)


@pytest.fixture
def visit(monday, jane):
    """Jane's confirmed appointment with Dr. Smith on Monday."""
    return make_appointment("confirmed", time_slot=monday, patient=jane)


def url_of(appointment):
    return f"/api/appointments/{appointment.pk}/reschedule/"


@pytest.mark.parametrize("who", ["jane", "smith", "ada"])
def test_a_reschedule_frees_the_old_slot_and_takes_the_new_one(
    *, who, api, request, visit, monday, tuesday, smith
):
    person = request.getfixturevalue(who)

    response = api(person).post(
        url_of(visit), {"time_slot": tuesday.pk, "reason": "A strike at the railway"}
    )

    told = data(response)
    assert response.json()["message"] == "Appointment rescheduled."
    assert (told["time_slot"], told["status"]) == (tuesday.pk, "scheduled")
    assert (told["date"], told["start_time"], told["end_time"]) == (
        "2026-12-08",
        "11:00:00",
        "11:45:00",
    )
    assert list(TimeSlot.objects.free()) == [monday]
    entry = visit.history.last()
    assert (entry.action, entry.from_status, entry.to_status) == (
        "reschedule",
        "confirmed",
        "scheduled",
    )
    assert (entry.from_starts_at, entry.to_starts_at) == (monday.starts_at, tuesday.starts_at)
    assert (entry.reason, entry.changed_by_id) == ("A strike at the railway", person.pk)


@pytest.mark.parametrize(
    ("who", "message"),
    [
        ("jane", "Choose a slot of the same doctor."),
        ("ada", "Choose a slot of the same doctor."),
        ("smith", GONE_SLOT),
    ],
)
def test_the_slot_of_another_doctor_is_refused(*, who, message, api, request, visit, meyer):
    elsewhere = make_slot("2026-12-08 11:00", doctor=meyer)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(request.getfixturevalue(who)).post(url_of(visit), {"time_slot": elsewhere.pk})

    assert error_details(response) == (
        400,
        "validation_error",
        {"time_slot": [message.format(pk=elsewhere.pk)]},
    )
    assert all_rows(Appointment, AppointmentHistory) == before


def test_the_current_slot_is_refused(api, visit, monday, jane):
    before = all_rows(Appointment, AppointmentHistory)

    response = api(jane).post(url_of(visit), {"time_slot": monday.pk})

    assert error_details(response) == (
        400,
        "validation_error",
        {"time_slot": ["The appointment is in this slot already."]},
    )
    assert all_rows(Appointment, AppointmentHistory) == before


def test_a_taken_slot_is_a_conflict_and_the_old_slot_is_kept(
    *, api, visit, monday, tuesday, jane, omar
):
    make_appointment(time_slot=tuesday, patient=omar)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(jane).post(url_of(visit), {"time_slot": tuesday.pk})

    assert status_and_code(response) == (409, "slot_taken")
    assert all_rows(Appointment, AppointmentHistory) == before
    assert TimeSlot.objects.free().count() == 0


def test_an_overlapping_appointment_of_the_patient_is_a_conflict(api, visit, tuesday, meyer, jane):
    make_appointment(time_slot=make_slot("2026-12-08 11:30", doctor=meyer), patient=jane)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(jane).post(url_of(visit), {"time_slot": tuesday.pk})

    assert status_and_code(response) == (409, "patient_overlap")
    assert all_rows(Appointment, AppointmentHistory) == before


def test_a_slot_in_the_past_is_refused(api, visit, smith):
    past = make_slot("2026-12-02 09:59", doctor=smith)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(smith).post(url_of(visit), {"time_slot": past.pk})

    assert status_and_code(response) == (400, "slot_in_past")
    assert all_rows(Appointment, AppointmentHistory) == before


def test_a_withdrawn_slot_and_a_missing_one_get_the_same_response(
    api, visit, wednesday, smith, jane
):
    withdrawn = make_slot("2026-12-08 09:00", doctor=smith, withdrawn_at=wednesday).pk
    nowhere = withdrawn + 1000
    client, before = api(jane), all_rows(Appointment, AppointmentHistory)

    answers = [client.post(url_of(visit), {"time_slot": pk}) for pk in (withdrawn, nowhere)]

    assert [error_details(answer)[2] for answer in answers] == [
        {"time_slot": [GONE_SLOT]} for pk in (withdrawn, nowhere)
    ]
    assert all_rows(Appointment, AppointmentHistory) == before


def test_the_slot_is_required(api, visit, jane):
    before = all_rows(Appointment, AppointmentHistory)

    response = api(jane).post(url_of(visit), {"reason": "Any time but that"})

    assert error_details(response)[::2] == (400, {"time_slot": ["This field is required."]})
    assert all_rows(Appointment, AppointmentHistory) == before


@pytest.mark.parametrize("status", ["in_progress", "completed", "cancelled", "no_show"])
def test_only_upcoming_appointments_are_rescheduled(*, status, api, monday, tuesday, smith, jane):
    appointment = make_appointment(status, time_slot=monday, patient=jane)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(smith).post(url_of(appointment), {"time_slot": tuesday.pk})

    assert status_and_code(response) == (409, "invalid_transition")
    assert "reschedule" not in response.json()["details"]["allowed"]
    assert all_rows(Appointment, AppointmentHistory) == before


def test_a_put_cannot_change_the_slot(api, visit, tuesday, jane):
    before = all_rows(Appointment, AppointmentHistory)

    response = api(jane).put(
        f"/api/appointments/{visit.pk}/", {"reason_for_visit": "x", "time_slot": tuesday.pk}
    )

    assert error_details(response)[::2] == (400, {"time_slot": ["This field is read-only."]})
    assert all_rows(Appointment, AppointmentHistory) == before


def test_an_appointment_with_an_unbookable_doctor_is_not_rescheduled(
    *, api, visit, tuesday, smith, ada, jane
):
    type(smith).objects.update(is_active=False)
    before = all_rows(Appointment, AppointmentHistory)

    answers = [api(one).post(url_of(visit), {"time_slot": tuesday.pk}) for one in (jane, ada)]

    assert [list(error_details(answer)[2]) for answer in answers] == [["time_slot"], ["time_slot"]]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert all_rows(Appointment, AppointmentHistory) == before


def test_an_appointment_cancelled_with_its_patient_is_not_rescheduled(
    api, visit, tuesday, jane, ada
):
    patients.deactivate(jane, by=ada)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(ada).post(url_of(visit), {"time_slot": tuesday.pk})

    assert error_details(response)[::2] == (400, {"patient": ["This patient's record is closed."]})
    assert all_rows(Appointment, AppointmentHistory) == before
