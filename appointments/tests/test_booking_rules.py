"""What the clinic asks of patients who book, cancel and reschedule by themselves."""

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


def step(client, appointment, action, **body):
    return client.post(f"{URL}{appointment.pk}/{action}/", body)


def written():
    return all_rows(Appointment, AppointmentHistory)


@pytest.fixture
def visit(smith, jane):
    """Jane's appointment with Dr. Smith on Monday at nine."""
    return make_appointment(time_slot=make_slot("2026-12-07 09:00", doctor=smith), patient=jane)


# --- As it is shipped -----------------------------------------------------------------------


def test_no_rule_binds_unless_the_clinic_sets_it(api, settings, smith, jane):
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
    with clock.frozen_at(clinic_time("2036-12-07 09:20")):
        new = make_slot("2036-12-07 10:00", doctor=smith)
        moved = api(jane).post(f"{URL}{far['id']}/reschedule/", {"time_slot": new.pk})

    assert booked["allowed"] == ["cancel", "reschedule"]
    assert (data(cancelled)["status"], data(moved)["status"]) == ("cancelled", "scheduled")


# --- Notice and horizon ---------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [30, 24 * 60])
def test_a_time_is_booked_until_the_notice_and_not_a_second_later(
    *, minutes, api, settings, smith, jane
):
    settings.BOOKING_NOTICE_MINUTES = minutes
    slot, client, before = make_slot("2026-12-07 09:00", doctor=smith), api(jane), written()
    closes_at = START - timedelta(minutes=minutes)

    with clock.frozen_at(closes_at + SECOND):
        late = book(client, slot)
    unchanged = written()
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


def test_the_last_day_of_the_horizon_is_open_as_a_whole(api, settings, smith, jane):
    settings.BOOKING_HORIZON_DAYS = 5
    last = make_slot("2026-12-07 23:00", doctor=smith)
    next_day = make_slot("2026-12-08 00:00", doctor=smith)
    client, before = api(jane), written()

    too_far = book(client, next_day)
    unchanged = written()
    near = book(client, last)

    assert error_details(too_far) == (
        400,
        "booking_too_far",
        {"time_slot": ["This time can be booked from Thu 03 Dec 2026 on."]},
    )
    assert unchanged == before
    assert data(near, 201)["time_slot"] == last.pk


def test_the_days_of_the_horizon_are_the_clinics_also_over_a_clock_change(
    api, settings, smith, jane
):
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
def test_the_time_an_appointment_is_moved_to_is_held_to_the_same(
    *, rule, value, expected, api, settings, smith, jane, visit
):
    setattr(settings, rule, value)
    tuesday, before = make_slot("2026-12-08 09:00", doctor=smith), written()

    response = step(api(jane), visit, "reschedule", time_slot=tuesday.pk)

    assert status_and_code(response) == (400, expected)
    assert list(error_details(response)[2]) == ["time_slot"]
    assert written() == before


def test_a_time_that_is_past_or_taken_is_refused_as_before(api, settings, smith, jane, visit):
    settings.BOOKING_NOTICE_MINUTES, settings.MAX_COMING_APPOINTMENTS = 7 * 24 * 60, 1
    past, client = make_slot("2026-12-02 09:30", doctor=smith), api(jane)

    answers = [book(client, slot) for slot in (past, visit.time_slot)]

    assert [status_and_code(answer) for answer in answers] == [
        (400, "slot_in_past"),
        (409, "slot_taken"),
    ]


# --- How many -------------------------------------------------------------------------------


def test_a_patient_has_so_many_coming_appointments_and_no_more(
    *, api, settings, smith, jane, omar, visit
):
    settings.MAX_COMING_APPOINTMENTS = 2
    tuesday, friday = (make_slot(f"2026-12-{day} 09:00", doctor=smith) for day in ("08", "11"))
    client = api(jane)

    second = book(client, tuesday)
    before = written()
    third = book(client, friday)

    assert data(second, 201)["status"] == "scheduled"
    assert error_details(third) == (
        409,
        "too_many_bookings",
        {"time_slot": ["You have as many upcoming appointments as the clinic allows (2)."]},
    )
    assert written() == before
    assert data(book(api(omar), friday), 201)["patient"] == omar.pk


@pytest.mark.parametrize("status", ["in_progress", "completed", "cancelled", "no_show"])
def test_what_is_not_ahead_any_more_does_not_count(*, status, api, settings, smith, jane):
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


def test_what_the_desk_booked_for_a_patient_counts_too(api, settings, smith, jane, ada):
    settings.MAX_COMING_APPOINTMENTS = 1
    make_appointment(
        "confirmed", time_slot=make_slot("2026-12-07 09:00", doctor=smith), patient=jane, by=ada
    )

    response = book(api(jane), make_slot("2026-12-08 09:00", doctor=smith))

    assert status_and_code(response) == (409, "too_many_bookings")


def test_moving_an_appointment_is_no_new_booking(api, settings, smith, jane, visit):
    settings.MAX_COMING_APPOINTMENTS = 1
    tuesday = make_slot("2026-12-08 09:00", doctor=smith)

    response = step(api(jane), visit, "reschedule", time_slot=tuesday.pk)

    assert data(response)["time_slot"] == tuesday.pk
    assert jane.appointments.live().count() == 1


@pytest.mark.parametrize(
    ("most", "who", "expected"),
    [(1, "jane", (409, "too_many_bookings")), (2, "jane", None), (1, "smith", None)],
)
def test_a_missed_visit_moved_ahead_is_a_coming_one_again(
    *, most, who, expected, api, request, settings, smith, jane, visit
):
    settings.MAX_COMING_APPOINTMENTS = most
    make_appointment(time_slot=make_slot("2026-12-08 09:00", doctor=smith), patient=jane, by=smith)
    friday, before = make_slot("2026-12-11 09:00", doctor=smith), written()

    with clock.frozen_at(START):
        client = api(request.getfixturevalue(who))
        response = step(client, visit, "reschedule", time_slot=friday.pk)

    if expected:
        assert status_and_code(response) == expected
        assert written() == before
    else:
        assert data(response)["time_slot"] == friday.pk


def test_what_is_ahead_can_be_moved_also_by_who_has_more_than_are_allowed_now(
    api, settings, smith, jane, visit
):
    make_appointment(time_slot=make_slot("2026-12-08 09:00", doctor=smith), patient=jane)
    settings.MAX_COMING_APPOINTMENTS = 1
    friday = make_slot("2026-12-11 09:00", doctor=smith)

    response = step(api(jane), visit, "reschedule", time_slot=friday.pk)

    assert data(response)["time_slot"] == friday.pk


# --- Cut-offs -------------------------------------------------------------------------------

CUT_OFFS = [
    ("cancel", "CANCELLATION_NOTICE_HOURS", "cancellation_too_late"),
    ("reschedule", "RESCHEDULE_NOTICE_HOURS", "reschedule_too_late"),
]


@pytest.mark.parametrize(("action", "rule", "expected"), CUT_OFFS)
def test_a_move_is_made_until_its_cut_off_and_not_a_second_later(
    *, action, rule, expected, api, settings, smith, jane, visit
):
    setattr(settings, rule, 24)
    slot = make_slot("2026-12-08 09:00", doctor=smith)
    body = {"time_slot": slot.pk} if action == "reschedule" else {}
    client, before = api(jane), written()

    with clock.frozen_at(clinic_time("2026-12-06 09:00") + SECOND):
        late = step(client, visit, action, **body)
    unchanged = written()
    with clock.frozen_at(clinic_time("2026-12-06 09:00")):
        in_time = step(client, visit, action, **body)

    past = {"cancel": "cancelled", "reschedule": "rescheduled"}[action]
    assert error_details(late) == (
        409,
        expected,
        {"status": [f"This appointment could be {past} until Sun 06 Dec 2026, 09:00."]},
    )
    assert unchanged == before
    assert in_time.status_code == 200


@pytest.mark.parametrize(("action", "rule", "_"), CUT_OFFS)
def test_what_comes_too_late_is_not_among_the_moves_allowed(
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
        assert allowed(smith) == ["confirm", "start", "complete", "cancel", "reschedule"]


def test_a_refusal_of_another_kind_offers_nothing_that_comes_too_late(
    api, settings, smith, jane, visit
):
    settings.RESCHEDULE_NOTICE_HOURS = 24

    with clock.frozen_at(START):
        response = step(api(jane), visit, "cancel")

    assert status_and_code(response) == (409, "invalid_transition")
    assert response.json()["details"] == {"allowed": []}


@pytest.mark.parametrize("status", ["completed", "cancelled"])
def test_what_the_table_refuses_is_never_called_late(*, status, api, settings, smith, jane):
    appointment = make_appointment(
        status, time_slot=make_slot("2026-12-07 09:00", doctor=smith), patient=jane
    )
    settings.CANCELLATION_NOTICE_HOURS = 24

    with clock.frozen_at(START - SECOND):
        response = step(api(jane), appointment, "cancel")

    assert status_and_code(response) == (409, "invalid_transition")


# --- Staff are free -------------------------------------------------------------------------


@pytest.fixture
def strict(settings):
    """Every rule at its hardest."""
    settings.BOOKING_NOTICE_MINUTES = 30 * 24 * 60
    settings.BOOKING_HORIZON_DAYS = 1
    settings.CANCELLATION_NOTICE_HOURS = 30 * 24
    settings.RESCHEDULE_NOTICE_HOURS = 30 * 24
    settings.MAX_COMING_APPOINTMENTS = 1


@pytest.mark.parametrize("who", STAFF)
@pytest.mark.usefixtures("strict")
def test_the_staff_book_move_and_cancel_whatever_a_patient_may(*, who, api, request, smith, jane):
    client = api(request.getfixturevalue(who))
    slots = [make_slot(f"2026-12-{day} 09:00", doctor=smith) for day in ("07", "08", "09")]

    booked = [data(book(client, slot, patient=jane.pk), 201)["id"] for slot in slots[:2]]
    moved = client.post(f"{URL}{booked[0]}/reschedule/", {"time_slot": slots[2].pk})
    cancelled = client.post(f"{URL}{booked[1]}/cancel/")

    assert data(moved)["time_slot"] == slots[2].pk
    assert data(cancelled)["status"] == "cancelled"


@pytest.mark.parametrize("who", STAFF)
def test_a_status_sent_by_the_staff_is_not_too_late(*, who, api, request, visit, strict):
    response = api(request.getfixturevalue(who)).patch(f"{URL}{visit.pk}/", {"status": "cancelled"})

    assert data(response)["status"] == "cancelled"


def test_closing_a_record_cancels_what_is_coming_however_late(ada, jane, visit, strict):
    patients.deactivate(jane, by=ada)

    visit.refresh_from_db()
    assert visit.status == "cancelled"


# --- What it costs --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "most", "statements"), [("jane", 0, 8), ("jane", 5, 9), ("ada", 5, 9)]
)
def test_the_count_is_asked_for_only_where_it_binds(
    *, who, most, statements, api, request, settings, smith, jane
):
    settings.MAX_COMING_APPOINTMENTS = most
    client = api(request.getfixturevalue(who))
    named = {} if who == "jane" else {"patient": jane.pk}
    slot = make_slot("2026-12-07 09:00", doctor=smith)

    with assert_data_queries(statements):
        response = book(client, slot, **named)

    assert data(response, 201)["patient"] == jane.pk


# --- What patients are shown ------------------------------------------------------------------


@pytest.fixture
def narrow(settings, smith):
    """Dr. Smith's slots around a day's notice and a horizon of five days, by what they are."""
    settings.BOOKING_NOTICE_MINUTES = 24 * 60
    settings.BOOKING_HORIZON_DAYS = 5
    return {
        "too soon": make_slot("2026-12-03 09:30", doctor=smith),
        "just in time": make_slot("2026-12-03 10:00", doctor=smith),
        "the last day": make_slot("2026-12-07 23:00", doctor=smith),
        "too far": make_slot("2026-12-08 00:00", doctor=smith),
    }


def test_a_patient_is_shown_exactly_what_can_be_booked(api, jane, smith, narrow):
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

    bookable = {slot.pk for slot in narrow.values() if book(client, slot).status_code == 201}
    assert listed == free == bookable
    assert bookable == {narrow["just in time"].pk, narrow["the last day"].pk}


def test_a_doctor_is_shown_all_of_his(api, smith, narrow):
    rows = data(api(smith).get("/api/time-slots/"))["results"]

    assert {row["id"] for row in rows} == {slot.pk for slot in narrow.values()}


def test_a_refusal_offers_only_what_the_patient_may_book(api, jane, omar, smith, narrow):
    taken = make_slot("2026-12-03 10:30", doctor=smith)
    make_appointment(time_slot=taken, patient=omar, by=smith)

    response = book(api(jane), taken)

    offered = [one["time_slot"] for one in response.json()["details"]["alternatives"]]
    assert offered == [narrow["just in time"].pk, narrow["the last day"].pk]


@pytest.mark.parametrize(("who", "next_one"), [("jane", "just in time"), ("smith", "too soon")])
def test_the_next_available_time_is_one_that_its_reader_may_book(
    *, who, next_one, api, request, smith, narrow
):
    client = api(request.getfixturevalue(who))
    expected = clock.to_clinic_time(narrow[next_one].starts_at).isoformat()

    told = [
        data(client.get(f"/api/doctors/{smith.pk}/")),
        data(client.get("/api/doctors/"))["results"][0],
        data(client.get("/api/doctor-availability/", {"doctor": smith.pk})),
    ]

    assert [one["next_available"] for one in told] == [expected] * 3


def test_there_is_no_next_time_where_all_lie_beyond_the_horizon(api, jane, smith, narrow, settings):
    make_slot("2026-12-20 09:00", doctor=smith)
    settings.BOOKING_NOTICE_MINUTES, settings.BOOKING_HORIZON_DAYS = 6 * 24 * 60, 7

    told = data(api(jane).get(f"/api/doctors/{smith.pk}/"))

    assert told["next_available"] is None
