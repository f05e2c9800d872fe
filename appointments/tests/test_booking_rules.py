"""The clinic's rules for patients who book, cancel and reschedule online."""

import inspect
import re
from datetime import timedelta

import pytest

from appointments import booking_rules, clock
from appointments.models import Appointment, AppointmentHistory
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
from patients import services as patients

pytestmark = pytest.mark.usefixtures("wednesday")

URL = "/api/appointments/"
START = clinic_time("2026-12-07 09:00")
SECOND = timedelta(seconds=1)
STAFF = ["smith", "ada"]


def book(client, slot, **more):
    return client.post(URL, {"time_slot": slot.pk, "reason_for_visit": "A cough"} | more)


def act(client, appointment, action, **body):
    return client.post(f"{URL}{appointment.pk}/{action}/", body)


def stored_rows():
    return all_rows(Appointment, AppointmentHistory)


@pytest.fixture
def visit(smith, jane):
    """Jane's appointment with Dr. Smith on Monday at 9:00."""
    return make_appointment(time_slot=make_slot("2026-12-07 09:00", doctor=smith), patient=jane)


# --- Defaults -------------------------------------------------------------------------------


def test_no_rule_applies_by_default(api, settings, smith, jane):
    read = re.findall(r"settings\.([A-Z_]+)", inspect.getsource(booking_rules))
    read += [cut_off.setting for cut_off in booking_rules.CUT_OFFS.values()]
    assert sorted(set(read)) == sorted(booking_rules.RULES)
    assert [getattr(settings, rule) for rule in booking_rules.RULES] == [0, 0, 0, 0, 0]
    client = api(jane)
    soon, later = (
        make_slot("2026-12-07 09:00", doctor=smith),
        make_slot("2036-12-07 09:00", doctor=smith),
    )

    with clock.frozen_at(START - SECOND):
        booked, far = data(book(client, soon), 201), data(book(client, later), 201)
        cancelled = client.post(f"{URL}{booked['id']}/cancel/")
    with clock.frozen_at(clinic_time("2036-12-07 08:59")):
        new = make_slot("2036-12-07 10:00", doctor=smith)
        moved = api(jane).post(f"{URL}{far['id']}/reschedule/", {"time_slot": new.pk})

    assert booked["allowed"] == ["cancel", "reschedule"]
    assert (data(cancelled)["status"], data(moved)["status"]) == ("cancelled", "scheduled")


# --- Notice and horizon ---------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [30, 24 * 60])
def test_a_slot_can_be_booked_up_to_the_booking_notice(*, minutes, api, settings, smith, jane):
    settings.BOOKING_NOTICE_MINUTES = minutes
    slot, client, before = make_slot("2026-12-07 09:00", doctor=smith), api(jane), stored_rows()
    closes_at = START - timedelta(minutes=minutes)

    with clock.frozen_at(closes_at + SECOND):
        late = book(client, slot)
    unchanged = stored_rows()
    with clock.frozen_at(closes_at):
        in_time = book(client, slot)

    shown = {30: "Mon 07 Dec 2026, 08:30", 24 * 60: "Sun 06 Dec 2026, 09:00"}[minutes]
    assert error_details(late) == (
        400,
        "booking_too_soon",
        {"time_slot": [f"This time could be booked until {shown}."]},
    )
    assert unchanged == before
    assert data(in_time, 201)["time_slot"] == slot.pk


def test_the_last_day_of_the_horizon_is_bookable_as_a_whole(api, settings, smith, jane):
    settings.BOOKING_HORIZON_DAYS = 5
    last = make_slot("2026-12-07 23:00", doctor=smith)
    next_day = make_slot("2026-12-08 00:00", doctor=smith)
    client, before = api(jane), stored_rows()

    too_far = book(client, next_day)
    unchanged = stored_rows()
    near = book(client, last)

    assert error_details(too_far) == (
        400,
        "booking_too_far",
        {"time_slot": ["This time can be booked from Thu 03 Dec 2026 on."]},
    )
    assert unchanged == before
    assert data(near, 201)["time_slot"] == last.pk


def test_the_horizon_counts_local_days_across_a_clock_change(api, settings, smith, jane):
    settings.BOOKING_HORIZON_DAYS = 1
    last, next_day = make_slot("2027-03-28 23:00", doctor=smith), make_slot("2027-03-29 00:00")

    with clock.frozen_at(clinic_time("2027-03-27 00:00")):
        client = api(jane)
        answers = [book(client, slot) for slot in (next_day, last)]

    assert status_and_code(answers[0]) == (400, "booking_too_far")
    assert data(answers[1], 201)["time_slot"] == last.pk


@pytest.mark.parametrize(
    ("rule", "value", "expected"),
    [
        ("BOOKING_NOTICE_MINUTES", 7 * 24 * 60, "booking_too_soon"),
        ("BOOKING_HORIZON_DAYS", 5, "booking_too_far"),
    ],
)
def test_a_reschedule_follows_the_same_notice_and_horizon(
    *, rule, value, expected, api, settings, smith, jane, visit
):
    setattr(settings, rule, value)
    tuesday, before = make_slot("2026-12-08 09:00", doctor=smith), stored_rows()

    response = act(api(jane), visit, "reschedule", time_slot=tuesday.pk)

    assert status_and_code(response) == (400, expected)
    assert list(error_details(response)[2]) == ["time_slot"]
    assert stored_rows() == before


def test_a_past_or_taken_slot_keeps_its_own_error(api, settings, smith, jane, visit):
    settings.BOOKING_NOTICE_MINUTES, settings.MAX_COMING_APPOINTMENTS = 7 * 24 * 60, 1
    past, client = make_slot("2026-12-02 09:30", doctor=smith), api(jane)

    answers = [book(client, slot) for slot in (past, visit.time_slot)]

    assert [status_and_code(answer) for answer in answers] == [
        (400, "slot_in_past"),
        (409, "slot_taken"),
    ]


# --- Number of appointments -----------------------------------------------------------------


def test_the_number_of_coming_appointments_is_limited(*, api, settings, smith, jane, omar, visit):
    settings.MAX_COMING_APPOINTMENTS = 2
    tuesday, friday = (make_slot(f"2026-12-{day} 09:00", doctor=smith) for day in ("08", "11"))
    client = api(jane)

    second = book(client, tuesday)
    before = stored_rows()
    third = book(client, friday)

    assert data(second, 201)["status"] == "scheduled"
    assert error_details(third) == (
        409,
        "too_many_bookings",
        {"time_slot": ["You have as many upcoming appointments as the clinic allows (2)."]},
    )
    assert stored_rows() == before
    assert data(book(api(omar), friday), 201)["patient"] == omar.pk


@pytest.mark.parametrize("status", ["in_progress", "completed", "cancelled", "no_show"])
def test_past_and_cancelled_appointments_do_not_count(*, status, api, settings, smith, jane):
    make_appointment(status, time_slot=make_slot("2026-12-07 09:00", doctor=smith), patient=jane)
    settings.MAX_COMING_APPOINTMENTS = 1

    response = book(api(jane), make_slot("2026-12-08 09:00", doctor=smith))

    assert data(response, 201)["patient"] == jane.pk


@pytest.mark.parametrize(("second", "expected"), [(-1, 409), (0, 201)])
def test_an_appointment_counts_until_it_begins(
    *, second, expected, api, settings, smith, jane, visit
):
    settings.MAX_COMING_APPOINTMENTS = 1

    with clock.frozen_at(START + second * SECOND):
        response = book(api(jane), make_slot("2026-12-08 09:00", doctor=smith))

    assert response.status_code == expected


def test_appointments_booked_by_staff_count(api, settings, smith, jane, ada):
    settings.MAX_COMING_APPOINTMENTS = 1
    make_appointment(
        "confirmed", time_slot=make_slot("2026-12-07 09:00", doctor=smith), patient=jane, by=ada
    )

    response = book(api(jane), make_slot("2026-12-08 09:00", doctor=smith))

    assert status_and_code(response) == (409, "too_many_bookings")


def test_a_reschedule_does_not_count_as_a_booking(api, settings, smith, jane, visit):
    settings.MAX_COMING_APPOINTMENTS = 1
    tuesday = make_slot("2026-12-08 09:00", doctor=smith)

    response = act(api(jane), visit, "reschedule", time_slot=tuesday.pk)

    assert data(response)["time_slot"] == tuesday.pk
    assert jane.appointments.live().count() == 1


@pytest.mark.parametrize(("who", "is_done"), [("jane", False), ("smith", True), ("ada", True)])
def test_a_missed_appointment_is_rescheduled_by_staff_alone(
    *, who, is_done, api, request, settings, smith, jane, visit
):
    settings.MAX_COMING_APPOINTMENTS = 1
    make_appointment(time_slot=make_slot("2026-12-08 09:00", doctor=smith), patient=jane, by=smith)
    friday, before = make_slot("2026-12-11 09:00", doctor=smith), stored_rows()

    with clock.frozen_at(START):
        client = api(request.getfixturevalue(who))
        response = act(client, visit, "reschedule", time_slot=friday.pk)

    if is_done:
        assert data(response)["time_slot"] == friday.pk
    else:
        sentence = "This visit has begun and can only be changed by the clinic. Call the clinic."
        assert error_details(response) == (409, "invalid_transition", {"status": [sentence]})
        assert stored_rows() == before


def test_a_patient_over_the_limit_can_still_reschedule(api, settings, smith, jane, visit):
    make_appointment(time_slot=make_slot("2026-12-08 09:00", doctor=smith), patient=jane)
    settings.MAX_COMING_APPOINTMENTS = 1
    friday = make_slot("2026-12-11 09:00", doctor=smith)

    response = act(api(jane), visit, "reschedule", time_slot=friday.pk)

    assert data(response)["time_slot"] == friday.pk


# --- Cut-offs -------------------------------------------------------------------------------

CUT_OFFS = [
    ("cancel", "CANCELLATION_NOTICE_HOURS", "cancellation_too_late"),
    ("reschedule", "RESCHEDULE_NOTICE_HOURS", "reschedule_too_late"),
]


@pytest.mark.parametrize(("action", "rule", "expected"), CUT_OFFS)
def test_an_appointment_can_be_changed_up_to_the_cut_off(
    *, action, rule, expected, api, settings, smith, jane, visit
):
    setattr(settings, rule, 24)
    slot = make_slot("2026-12-08 09:00", doctor=smith)
    body = {"time_slot": slot.pk} if action == "reschedule" else {}
    client, before = api(jane), stored_rows()

    with clock.frozen_at(clinic_time("2026-12-06 09:00") + SECOND):
        late = act(client, visit, action, **body)
    unchanged = stored_rows()
    with clock.frozen_at(clinic_time("2026-12-06 09:00")):
        in_time = act(client, visit, action, **body)

    past = {"cancel": "cancelled", "reschedule": "rescheduled"}[action]
    assert error_details(late) == (
        409,
        expected,
        {
            "status": [
                f"This appointment could be {past} until Sun 06 Dec 2026, 09:00. Call the clinic."
            ]
        },
    )
    assert unchanged == before
    assert in_time.status_code == 200


def test_a_cut_off_of_one_hour_applies(api, settings, jane, visit):
    settings.CANCELLATION_NOTICE_HOURS = 1

    with clock.frozen_at(START - timedelta(minutes=59)):
        response = act(api(jane), visit, "cancel")

    assert error_details(response)[1] == "cancellation_too_late"


@pytest.mark.parametrize(("action", "rule", "_"), CUT_OFFS)
def test_actions_after_the_cut_off_are_not_listed_as_allowed(
    *, action, rule, _, api, settings, smith, jane, visit
):
    setattr(settings, rule, 24)
    [other] = {"cancel", "reschedule"} - {action}

    def allowed(person):
        return data(api(person).get(f"{URL}{visit.pk}/"))["allowed"]

    with clock.frozen_at(clinic_time("2026-12-06 09:00")):
        assert allowed(jane) == ["cancel", "reschedule"]
    with clock.frozen_at(clinic_time("2026-12-06 09:00") + SECOND):
        assert allowed(jane) == [other]
        assert allowed(smith) == ["confirm", "cancel", "reschedule"]


def test_another_error_lists_no_action_after_the_cut_off(api, settings, smith, jane, visit):
    settings.RESCHEDULE_NOTICE_HOURS = 24

    with clock.frozen_at(START):
        response = act(api(jane), visit, "cancel")

    assert status_and_code(response) == (409, "invalid_transition")
    assert response.json()["details"] == {"allowed": []}


@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_a_forbidden_transition_is_not_reported_as_too_late(*, status, api, settings, smith, jane):
    appointment = make_appointment(
        status, time_slot=make_slot("2026-12-07 09:00", doctor=smith), patient=jane
    )
    settings.CANCELLATION_NOTICE_HOURS = 24

    with clock.frozen_at(START - SECOND):
        response = act(api(jane), appointment, "cancel")

    assert status_and_code(response) == (409, "invalid_transition")


# --- Staff are exempt -----------------------------------------------------------------------


@pytest.fixture
def strict(settings):
    """Sets every rule to a value that forbids everything to patients."""
    settings.BOOKING_NOTICE_MINUTES = 30 * 24 * 60
    settings.BOOKING_HORIZON_DAYS = 1
    settings.CANCELLATION_NOTICE_HOURS = 30 * 24
    settings.RESCHEDULE_NOTICE_HOURS = 30 * 24
    settings.MAX_COMING_APPOINTMENTS = 1


@pytest.mark.parametrize("who", STAFF)
@pytest.mark.usefixtures("strict")
def test_the_rules_do_not_apply_to_staff(*, who, api, request, smith, jane):
    client = api(request.getfixturevalue(who))
    slots = [make_slot(f"2026-12-{day} 09:00", doctor=smith) for day in ("07", "08", "09")]

    booked = [data(book(client, slot, patient=jane.pk), 201)["id"] for slot in slots[:2]]
    moved = client.post(f"{URL}{booked[0]}/reschedule/", {"time_slot": slots[2].pk})
    cancelled = client.post(f"{URL}{booked[1]}/cancel/")

    assert data(moved)["time_slot"] == slots[2].pk
    assert data(cancelled)["status"] == "cancelled"


@pytest.mark.parametrize("who", STAFF)
def test_a_status_sent_by_staff_is_not_too_late(*, who, api, request, visit, strict):
    response = api(request.getfixturevalue(who)).patch(f"{URL}{visit.pk}/", {"status": "cancelled"})

    assert data(response)["status"] == "cancelled"


def test_deactivating_a_patient_cancels_appointments_after_the_cut_off(ada, jane, visit, strict):
    patients.deactivate(jane, by=ada)

    visit.refresh_from_db()
    assert visit.status == "cancelled"


# --- Query counts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "most", "statements"), [("jane", 0, 8), ("jane", 5, 9), ("ada", 5, 9)]
)
def test_the_appointment_count_is_queried_only_with_a_limit(
    *, who, most, statements, api, request, settings, smith, jane
):
    settings.MAX_COMING_APPOINTMENTS = most
    client = api(request.getfixturevalue(who))
    named = {} if who == "jane" else {"patient": jane.pk}
    slot = make_slot("2026-12-07 09:00", doctor=smith)

    with assert_data_queries(statements):
        response = book(client, slot, **named)

    assert data(response, 201)["patient"] == jane.pk


# --- Slots shown to patients ----------------------------------------------------------------


@pytest.fixture
def slots_at_the_limits(settings, smith):
    """Slots of Dr. Smith at the limits of a one-day notice and a five-day horizon, by position."""
    settings.BOOKING_NOTICE_MINUTES = 24 * 60
    settings.BOOKING_HORIZON_DAYS = 5
    return {
        "too soon": make_slot("2026-12-03 09:30", doctor=smith),
        "just in time": make_slot("2026-12-03 10:00", doctor=smith),
        "the last day": make_slot("2026-12-07 23:00", doctor=smith),
        "too far": make_slot("2026-12-08 00:00", doctor=smith),
    }


def test_a_patient_sees_exactly_the_bookable_slots(api, jane, smith, slots_at_the_limits):
    client = api(jane)
    availability = {
        "doctor": smith.pk,
        "date_after": "2026-12-02",
        "date_before": "2026-12-12",
    }

    listed = {row["id"] for row in data(client.get("/api/time-slots/"))["results"]}
    free = {
        row["id"] for row in data(client.get("/api/doctor-availability/", availability))["slots"]
    }

    bookable = {
        slot.pk for slot in slots_at_the_limits.values() if book(client, slot).status_code == 201
    }
    assert listed == free == bookable
    assert bookable == {
        slots_at_the_limits["just in time"].pk,
        slots_at_the_limits["the last day"].pk,
    }


def test_the_smallest_notice_and_horizon_apply_to_the_slots_shown(
    *, api, settings, smith, meyer, jane, wednesday
):
    settings.BOOKING_NOTICE_MINUTES = 1
    settings.BOOKING_HORIZON_DAYS = 1
    make_slot("2026-12-02 10:01", doctor=smith)
    just_in_time = make_slot("2026-12-02 10:02", doctor=meyer)
    the_last_day = make_slot("2026-12-03 23:00", doctor=smith)
    make_slot("2026-12-04 00:00", doctor=smith)

    with clock.frozen_at(wednesday + 30 * SECOND):
        listed = {row["id"] for row in data(api(jane).get("/api/time-slots/"))["results"]}

    assert listed == {just_in_time.pk, the_last_day.pk}


def test_a_doctor_sees_all_of_their_slots(api, smith, slots_at_the_limits):
    rows = data(api(smith).get("/api/time-slots/"))["results"]

    assert {row["id"] for row in rows} == {slot.pk for slot in slots_at_the_limits.values()}


def test_a_conflict_suggests_only_slots_that_the_patient_may_book(
    api, jane, omar, smith, slots_at_the_limits
):
    taken = make_slot("2026-12-03 10:30", doctor=smith)
    make_appointment(time_slot=taken, patient=omar, by=smith)

    response = book(api(jane), taken)

    offered = [one["time_slot"] for one in response.json()["details"]["alternatives"]]
    assert offered == [
        slots_at_the_limits["just in time"].pk,
        slots_at_the_limits["the last day"].pk,
    ]


@pytest.mark.parametrize(("who", "next_one"), [("jane", "just in time"), ("smith", "too soon")])
def test_next_available_is_a_slot_that_the_reader_may_book(
    *, who, next_one, api, request, smith, slots_at_the_limits
):
    client = api(request.getfixturevalue(who))
    expected = clock.to_clinic_time(slots_at_the_limits[next_one].starts_at).isoformat()

    told = [
        data(client.get(f"/api/doctors/{smith.pk}/")),
        data(client.get("/api/doctors/"))["results"][0],
        data(client.get("/api/doctor-availability/", {"doctor": smith.pk})),
    ]

    assert [one["next_available"] for one in told] == [expected] * 3


def test_next_available_is_null_if_all_slots_are_beyond_the_horizon(
    api, jane, smith, slots_at_the_limits, settings
):
    make_slot("2026-12-20 09:00", doctor=smith)
    settings.BOOKING_NOTICE_MINUTES, settings.BOOKING_HORIZON_DAYS = 6 * 24 * 60, 7

    told = data(api(jane).get(f"/api/doctors/{smith.pk}/"))

    assert told["next_available"] is None
