"""Endpoints of the appointment actions: permissions, conditions and effects."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from appointments import clock, services
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import make_appointment, on_the_day
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
START = clinic_time("2026-12-07 09:00")

DONE, NOT_YOURS = (200, None), (404, "not_found")
NEVER, WHO, LICENCE = (
    (403, "permission_denied"),
    (401, "not_authenticated"),
    (403, "license_not_verified"),
)
STAFF_ONLY = {
    "smith": DONE,
    "ada": DONE,
    "jane": NEVER,
    "omar": NEVER,
    "meyer": NOT_YOURS,
    "nils": LICENCE,
    "anonymous": WHO,
}
STAFF_AND_PATIENT = STAFF_ONLY | {"jane": DONE, "omar": NOT_YOURS}
PERMISSIONS = {
    "confirm": STAFF_ONLY,
    "start": STAFF_ONLY,
    "complete": STAFF_ONLY,
    "no_show": STAFF_ONLY,
    "cancel": STAFF_AND_PATIENT,
    "reschedule": STAFF_AND_PATIENT,
}
ON_THE_DAY = {"start", "complete", "no_show"}
TARGETS = {
    "confirm": "confirmed",
    "start": "in_progress",
    "complete": "completed",
    "no_show": "no_show",
    "cancel": "cancelled",
    "reschedule": "scheduled",
}
MESSAGES = {
    "confirm": "Appointment confirmed.",
    "start": "Visit started.",
    "complete": "Appointment completed.",
    "no_show": "Appointment marked as no-show.",
    "cancel": "Appointment cancelled.",
}


def url_of(appointment, action):
    return f"{URL}{appointment.pk}/{action}/"


def outcome(response):
    return response.status_code, response.json().get("code")


@pytest.fixture
def visit(smith, jane):
    """Jane's appointment with Dr. Smith on Monday at 9:00."""
    return make_appointment(time_slot=make_slot("2026-12-07 09:00", doctor=smith), patient=jane)


@pytest.fixture
def other_slot(smith):
    return make_slot("2026-12-08 09:00", doctor=smith)


@pytest.mark.parametrize(
    ("action", "who", "expected"),
    [
        (action, who, expected)
        for action, row in PERMISSIONS.items()
        for who, expected in row.items()
    ],
)
def test_each_action_is_allowed_to_its_roles_only(
    *, action, who, expected, api, request, visit, other_slot
):
    client = api(None if who == "anonymous" else request.getfixturevalue(who))
    body = {"time_slot": other_slot.pk} if action == "reschedule" else {}
    before = all_rows(Appointment, AppointmentHistory)

    with clock.frozen_at(START if action in ON_THE_DAY else clock.now()):
        response = client.post(url_of(visit, action), body)

    assert outcome(response) == expected
    if expected == DONE:
        visit.refresh_from_db()
        assert data(response)["status"] == visit.status == TARGETS[action]
    else:
        assert all_rows(Appointment, AppointmentHistory) == before


@pytest.mark.parametrize("action", ["confirm", "start", "complete", "no_show"])
def test_an_action_never_allowed_to_patients_is_403_before_any_lookup(
    action, api, visit, jane, omar
):
    client = api(jane)

    answers = [
        client.post(f"{URL}{pk}/{action}/").json() | {"request_id": None}
        for pk in (visit.pk, visit.pk + 1000)
    ]

    assert answers[0] == answers[1]
    assert answers[0]["code"] == "permission_denied"


@pytest.mark.parametrize("action", ["confirm", "start", "complete", "cancel"])
def test_an_action_on_an_invisible_appointment_is_404(action, api, visit, meyer):
    client = api(meyer)

    answers = [
        client.post(f"{URL}{pk}/{action}/").json() | {"request_id": None}
        for pk in (visit.pk, visit.pk + 1000)
    ]

    assert answers[0] == answers[1]
    assert answers[0]["code"] == "not_found"


@pytest.mark.parametrize("action", MESSAGES)
def test_an_action_returns_the_appointment_and_writes_one_history_entry(action, api, visit, smith):
    client = api(smith)
    shown = data(client.get(f"{URL}{visit.pk}/"))
    now = START + timedelta(minutes=1)

    with clock.frozen_at(now):
        response = client.post(url_of(visit, action), {"reason": "As agreed"})
        after = data(client.get(f"{URL}{visit.pk}/"))

    assert response.json()["message"] == MESSAGES[action]
    assert data(response) == after
    assert after == shown | {
        "status": TARGETS[action],
        "allowed": after["allowed"],
        "updated_at": "2026-12-07T09:01:00+01:00",
    }
    [_, entry] = visit.history.all()
    assert (entry.action, entry.from_status, entry.to_status) == (
        action,
        "scheduled",
        TARGETS[action],
    )
    assert (entry.reason, entry.changed_by_id, entry.created_at) == ("As agreed", smith.pk, now)


@pytest.mark.parametrize(
    ("who", "status", "action", "allowed"),
    [
        ("smith", "confirmed", "confirm", ["cancel", "reschedule"]),
        ("ada", "in_progress", "start", ["cancel", "reopen"]),
        ("ada", "in_progress", "no_show", ["cancel", "reopen"]),
        ("smith", "completed", "complete", ["reopen"]),
        ("smith", "completed", "cancel", ["reopen"]),
        ("ada", "cancelled", "confirm", ["reopen"]),
        ("ada", "no_show", "complete", ["reopen"]),
        ("jane", "in_progress", "cancel", []),
        ("jane", "cancelled", "cancel", []),
    ],
)
def test_a_forbidden_transition_is_a_conflict_that_lists_the_allowed_ones(
    *, who, status, action, allowed, api, request, smith, jane
):
    appointment = make_appointment(status, doctor=smith, patient=jane)
    before = all_rows(Appointment, AppointmentHistory)

    response = api(request.getfixturevalue(who)).post(url_of(appointment, action))

    assert status_and_code(response) == (409, "invalid_transition")
    assert response.json()["details"] == {"allowed": allowed}
    assert list(error_details(response)[2]) == ["status"]
    assert all_rows(Appointment, AppointmentHistory) == before


def test_a_conflict_has_a_readable_message(api, visit, smith):
    with on_the_day(visit):
        services.move(visit, "complete", by=smith)

    response = api(smith).post(url_of(visit, "cancel"))

    assert (
        response.json()["message"]
        == "This appointment cannot be cancelled now. Its status is Completed."
    )


@pytest.mark.parametrize(("seconds", "expected"), [(-1, 200), (0, 409), (1, 409)])
def test_a_patient_can_cancel_until_the_start(seconds, expected, api, visit, jane):
    client = api(jane)

    with clock.frozen_at(START + timedelta(seconds=seconds)):
        response = client.post(url_of(visit, "cancel"))

    assert response.status_code == expected
    visit.refresh_from_db()
    assert visit.status == {200: "cancelled", 409: "scheduled"}[expected]


@pytest.mark.parametrize(("seconds", "expected"), [(-1, 409), (0, 200), (1, 200)])
def test_a_no_show_is_refused_before_the_start(seconds, expected, api, visit, smith):
    client = api(smith)

    with clock.frozen_at(START + timedelta(seconds=seconds)):
        response = client.post(url_of(visit, "no_show"))

    assert response.status_code == expected
    visit.refresh_from_db()
    assert visit.status == {200: "no_show", 409: "scheduled"}[expected]


@pytest.mark.parametrize("who", ["smith", "ada"])
def test_staff_cancel_an_appointment_in_progress(who, api, request, smith, jane):
    appointment = make_appointment("in_progress", doctor=smith, patient=jane)

    response = api(request.getfixturevalue(who)).post(url_of(appointment, "cancel"))

    assert data(response)["status"] == "cancelled"


def test_the_slot_of_a_cancelled_appointment_is_available_immediately(api, visit, jane, omar):
    api(jane).post(url_of(visit, "cancel"))

    body = {"time_slot": visit.time_slot_id, "reason_for_visit": "A cough"}
    response = api(omar).post(URL, body)

    assert data(response, 201)["patient"] == omar.pk


@pytest.mark.parametrize(
    ("body", "expected", "field"),
    [
        ({"reason": "x" * 2001}, "validation_error", "reason"),
        ({"reason": None}, "validation_error", "reason"),
        ({"reason": "a\0b"}, "validation_error", "reason"),
        ({"reason": {"why": "x"}}, "validation_error", "reason"),
        ({"status": "completed"}, "unknown_field", "status"),
        ({"time_slot": 1}, "unknown_field", "time_slot"),
    ],
)
def test_an_invalid_body_changes_nothing(*, body, expected, field, api, visit, smith):
    before = all_rows(Appointment, AppointmentHistory)

    response = api(smith).post(url_of(visit, "confirm"), body)

    assert status_and_code(response) == (400, expected)
    assert list(error_details(response)[2]) == [field]
    assert all_rows(Appointment, AppointmentHistory) == before


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete"])
def test_an_action_requires_a_post(method, api, visit, smith):
    before = all_rows(Appointment, AppointmentHistory)

    response = getattr(api(smith), method)(url_of(visit, "confirm"))

    assert status_and_code(response) == (405, "method_not_allowed")
    assert all_rows(Appointment, AppointmentHistory) == before


def test_a_query_parameter_is_refused(api, visit, smith):
    response = api(smith).post(f"{url_of(visit, 'confirm')}?force=true")

    assert status_and_code(response) == (400, "unknown_parameter")
    visit.refresh_from_db()
    assert visit.status == "scheduled"


def test_the_seed_path_runs_the_same_action(api, visit, smith):
    response = api(smith).post(f"/api/appointments/api/appointments/{visit.pk}/confirm/")

    assert data(response)["status"] == "confirmed"


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo", "Europe/Berlin"])
@pytest.mark.parametrize("action", ["start", "complete"])
def test_a_visit_is_started_from_midnight_of_its_day_on_in_the_clinics_time_zone(
    *, zone, action, api, settings, visit, smith
):
    """9:00 in Berlin is 3:00 of the same day in New York and 17:00 in Tokyo."""
    settings.TIME_ZONE = zone
    midnight = datetime(2026, 12, 7, tzinfo=ZoneInfo(zone))
    client, before = api(smith), all_rows(Appointment, AppointmentHistory)

    with clock.frozen_at(midnight - timedelta(microseconds=1)):
        offered = data(client.get(f"{URL}{visit.pk}/"))["allowed"]
        early = client.post(url_of(visit, action))
    unchanged = all_rows(Appointment, AppointmentHistory)
    with clock.frozen_at(midnight):
        offered_then = data(client.get(f"{URL}{visit.pk}/"))["allowed"]
        done = client.post(url_of(visit, action))

    sentence = (
        "This visit is on Mon 07 Dec 2026. It cannot be started, completed or marked as a no-show "
        "before that day."
    )
    assert error_details(early) == (409, "too_early", {"status": [sentence]})
    assert unchanged == before
    assert (action in offered, action in offered_then) == (False, True)
    assert data(done)["status"] == TARGETS[action]


@pytest.mark.parametrize("action", ["cancel", "reschedule"])
def test_a_patient_learns_that_the_visit_has_begun(action, api, visit, jane, other_slot):
    body = {"time_slot": other_slot.pk} if action == "reschedule" else {}
    before = all_rows(Appointment, AppointmentHistory)

    with clock.frozen_at(START + timedelta(minutes=20)):
        response = api(jane).post(url_of(visit, action), body)
        details = api(jane).patch(f"{URL}{visit.pk}/", {"symptoms": "Late, in the train"})

    sentence = "This visit has begun and can only be changed by the clinic. Call the clinic."
    assert error_details(response) == (409, "invalid_transition", {"status": [sentence]})
    assert data(details)["symptoms"] == "Late, in the train"
    assert all_rows(AppointmentHistory)[0][: len(before[1])] == before[1]
    visit.refresh_from_db()
    assert (visit.status, visit.starts_at) == ("scheduled", START)
