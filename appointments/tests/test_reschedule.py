"""Moving an appointment to another time of the same doctor's."""

import pytest

from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import all_rows, data, error_details, make_slot, status_and_code
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


def address(appointment):
    return f"/api/appointments/{appointment.pk}/reschedule/"


@pytest.mark.parametrize("who", ["jane", "smith", "ada"])
def test_the_old_slot_is_freed_and_the_new_one_held(
    *, who, api, request, visit, monday, tuesday, smith
):
    person = request.getfixturevalue(who)

    response = api(person).post(
        address(visit), {"time_slot": tuesday.pk, "reason": "A strike at the railway"}
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
        ("smith", 'Invalid pk "{pk}" - object does not exist.'),
    ],
)
def test_another_doctors_slot_is_bad_input(*, who, message, api, request, visit, meyer):
    elsewhere = make_slot("2026-12-08 11:00", doctor=meyer)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(request.getfixturevalue(who)).post(address(visit), {"time_slot": elsewhere.pk})

    assert error_details(response) == (
        400,
        "validation_error",
        {"time_slot": [message.format(pk=elsewhere.pk)]},
    )
    assert all_rows(Appointment, AppointmentHistory) == before


def test_the_same_slot_is_bad_input(api, visit, monday, jane):
    before = all_rows(Appointment, AppointmentHistory)

    response = api(jane).post(address(visit), {"time_slot": monday.pk})

    assert error_details(response) == (
        400,
        "validation_error",
        {"time_slot": ["The appointment is in this slot already."]},
    )
    assert all_rows(Appointment, AppointmentHistory) == before


def test_a_taken_slot_is_a_conflict_and_the_old_one_stays_held(
    *, api, visit, monday, tuesday, jane, omar
):
    make_appointment(time_slot=tuesday, patient=omar)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(jane).post(address(visit), {"time_slot": tuesday.pk})

    assert status_and_code(response) == (409, "slot_taken")
    assert all_rows(Appointment, AppointmentHistory) == before
    assert TimeSlot.objects.free().count() == 0


def test_a_time_at_which_the_patient_is_elsewhere_is_a_conflict(api, visit, tuesday, meyer, jane):
    make_appointment(time_slot=make_slot("2026-12-08 11:30", doctor=meyer), patient=jane)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(jane).post(address(visit), {"time_slot": tuesday.pk})

    assert status_and_code(response) == (409, "patient_overlap")
    assert all_rows(Appointment, AppointmentHistory) == before


def test_a_slot_in_the_past_is_bad_input(api, visit, smith):
    past = make_slot("2026-12-02 09:59", doctor=smith)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(smith).post(address(visit), {"time_slot": past.pk})

    assert status_and_code(response) == (400, "slot_in_past")
    assert all_rows(Appointment, AppointmentHistory) == before


def test_a_withdrawn_slot_and_one_that_never_was_are_the_same(api, visit, wednesday, smith, jane):
    withdrawn = make_slot("2026-12-08 09:00", doctor=smith, withdrawn_at=wednesday).pk
    nowhere = withdrawn + 1000
    client, before = api(jane), all_rows(Appointment, AppointmentHistory)

    answers = [client.post(address(visit), {"time_slot": pk}) for pk in (withdrawn, nowhere)]

    assert [error_details(answer)[2] for answer in answers] == [
        {"time_slot": [f'Invalid pk "{pk}" - object does not exist.']}
        for pk in (withdrawn, nowhere)
    ]
    assert all_rows(Appointment, AppointmentHistory) == before


def test_a_slot_has_to_be_named(api, visit, jane):
    before = all_rows(Appointment, AppointmentHistory)

    response = api(jane).post(address(visit), {"reason": "Any time but that"})

    assert error_details(response)[::2] == (400, {"time_slot": ["This field is required."]})
    assert all_rows(Appointment, AppointmentHistory) == before


@pytest.mark.parametrize("status", ["in_progress", "completed", "cancelled", "no_show"])
def test_what_is_not_ahead_is_not_rescheduled(*, status, api, monday, tuesday, smith, jane):
    appointment = make_appointment(status, time_slot=monday, patient=jane)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(smith).post(address(appointment), {"time_slot": tuesday.pk})

    assert status_and_code(response) == (409, "invalid_transition")
    assert "reschedule" not in response.json()["details"]["allowed"]
    assert all_rows(Appointment, AppointmentHistory) == before


def test_a_put_is_no_second_way_to_reschedule(api, visit, tuesday, jane):
    before = all_rows(Appointment, AppointmentHistory)

    response = api(jane).put(
        f"/api/appointments/{visit.pk}/", {"reason_for_visit": "x", "time_slot": tuesday.pk}
    )

    assert error_details(response)[::2] == (400, {"time_slot": ["This field is read-only."]})
    assert all_rows(Appointment, AppointmentHistory) == before


def test_where_the_doctor_is_not_bookable_any_more_nothing_moves(
    *, api, visit, tuesday, smith, ada, jane
):
    type(smith).objects.update(is_active=False)
    before = all_rows(Appointment, AppointmentHistory)

    answers = [api(one).post(address(visit), {"time_slot": tuesday.pk}) for one in (jane, ada)]

    assert [list(error_details(answer)[2]) for answer in answers] == [["time_slot"], ["time_slot"]]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert all_rows(Appointment, AppointmentHistory) == before


def test_what_was_cancelled_with_its_record_is_not_rescheduled(api, visit, tuesday, jane, ada):
    patients.deactivate(jane, by=ada)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(ada).post(address(visit), {"time_slot": tuesday.pk})

    assert error_details(response)[::2] == (400, {"patient": ["This patient's record is closed."]})
    assert all_rows(Appointment, AppointmentHistory) == before
