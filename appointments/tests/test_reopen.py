"""Taking back the last move of an appointment: who, when, to which status, and the refusals."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command

from accounts.models import AuditEvent
from appointments import clock, services, slot_services
from appointments.models import Appointment, AppointmentHistory
from appointments.statistics import statistics
from appointments.tests.factories import make_appointment, make_appointment_of_today, on_the_day
from appointments.tests.helpers import (
    all_rows,
    assert_data_queries,
    clinic_time,
    data,
    error_details,
    make_slot,
    status_and_code,
)
from consultations import services as consultations
from patients import services as patients

pytestmark = pytest.mark.usefixtures("wednesday")

URL = "/api/appointments/"
START = clinic_time("2026-12-07 09:00")
HOUR = timedelta(hours=1)
REASON = {"reason": "Wrong patient"}


def reopen(client, appointment, mount=URL, **headers):
    return client.post(f"{mount}{appointment.pk}/reopen/", REASON, headers=headers)


def allowed(client, appointment):
    return data(client.get(f"{URL}{appointment.pk}/"))["allowed"]


@pytest.fixture
def visit(smith, jane):
    """Jane's confirmed appointment with Dr. Smith on Monday at 9:00."""
    slot = make_slot("2026-12-07 09:00", doctor=smith)
    return make_appointment("confirmed", time_slot=slot, patient=jane)


def moved(visit, *actions):
    """Makes the moves at the start of the visit."""
    for action in actions:
        with clock.frozen_at(START):
            visit = services.move(visit, action, by=visit.doctor)
    return visit


# --- Who and when ---------------------------------------------------------------------------

SOON, AT_LAST, TOO_LATE = HOUR, 72 * HOUR, 72 * HOUR + timedelta(seconds=1)
DONE, CLOSED = (200, None), (409, "invalid_transition")
NEVER, NOT_YOURS = (403, "permission_denied"), (404, "not_found")
LICENCE, WHO = (403, "license_not_verified"), (401, "not_authenticated")
OTHERS = {
    "jane": [NEVER] * 3,
    "omar": [NEVER] * 3,
    "meyer": [NOT_YOURS] * 3,
    "nils": [LICENCE] * 3,
    "anonymous": [WHO] * 3,
}
ENDED = {"smith": [DONE, DONE, CLOSED], "ada": [DONE, DONE, DONE], **OTHERS}
COMING = {"smith": [CLOSED] * 3, "ada": [CLOSED] * 3, **OTHERS}

# Moves that lead to a status from `confirmed` → the status after reopening, and who may reopen
# soon after the move, at the last moment and too late.
AGREED = {
    ("scheduled",): (None, COMING),
    ("confirmed",): (None, COMING),
    ("in_progress", "start"): ("confirmed", ENDED),
    ("completed", "complete"): ("confirmed", ENDED),
    ("completed", "start", "complete"): ("in_progress", ENDED),
    ("no_show", "no_show"): ("confirmed", ENDED),
    ("cancelled", "cancel"): ("confirmed", ENDED),
    ("cancelled", "start", "cancel"): ("in_progress", ENDED),
}
CASES = [
    (path, before, who, moment, answers[number])
    for path, (before, table) in AGREED.items()
    for who, answers in table.items()
    for number, moment in enumerate((SOON, AT_LAST, TOO_LATE))
]


@pytest.mark.parametrize(("path", "before", "who", "moment", "expected"), CASES)
def test_each_status_is_reopened_by_the_agreed_people_in_time(
    *, path, before, who, moment, expected, api, request, smith, jane
):
    status, *moves = path
    first = "scheduled" if status == "scheduled" else "confirmed"
    slot = make_slot("2026-12-07 09:00", doctor=smith)
    visit = moved(make_appointment(first, time_slot=slot, patient=jane), *moves)
    client = api(None if who == "anonymous" else request.getfixturevalue(who))
    rows = all_rows(Appointment, AppointmentHistory)

    with clock.frozen_at(START + moment):
        sees = who in ("smith", "ada", "jane")
        offered = "reopen" in allowed(client, visit) if sees else False
        response = reopen(client, visit)

    assert (response.status_code, response.json().get("code")) == expected
    assert offered == (expected == DONE)
    visit.refresh_from_db()
    if expected == DONE:
        assert data(response)["status"] == visit.status == before
        entry = visit.history.last()
        assert (entry.action, entry.from_status, entry.to_status, entry.reason) == (
            "reopen",
            status,
            before,
            "Wrong patient",
        )
        assert entry.changed_by.username == who
    else:
        assert all_rows(Appointment, AppointmentHistory) == rows


@pytest.mark.parametrize(("hours", "is_open"), [(1, False), (101, True), (0, True)])
def test_the_hours_are_a_setting_and_0_sets_no_limit(hours, is_open, api, settings, smith, visit):
    settings.REOPEN_HOURS = hours
    moved(visit, "complete")

    with clock.frozen_at(START + 100 * HOUR):
        assert ("reopen" in allowed(api(smith), visit)) == is_open
        response = reopen(api(smith), visit)

    assert (response.status_code == 200) == is_open


def test_a_refusal_says_until_when_and_whom_to_ask(api, smith, visit):
    moved(visit, "complete")

    with clock.frozen_at(START + TOO_LATE):
        response = reopen(api(smith), visit)

    sentence = "This could be reopened until Thu 10 Dec 2026, 09:00. Ask an administrator to do it."
    assert error_details(response) == (409, "invalid_transition", {"status": [sentence]})
    assert response.json()["details"] == {"allowed": []}


def test_moves_are_taken_back_one_by_one(api, smith, visit):
    moved(visit, "start", "complete")
    client = api(smith)

    with clock.frozen_at(START + HOUR):
        statuses = [data(reopen(client, visit))["status"] for _ in range(2)]
        refused = reopen(client, visit)
        again = data(client.post(f"{URL}{visit.pk}/complete/"))
        reopened = data(reopen(client, visit))

    assert statuses == ["in_progress", "confirmed"]
    assert status_and_code(refused) == (409, "invalid_transition")
    assert (again["status"], reopened["status"]) == ("completed", "confirmed")


def test_a_move_that_was_made_long_ago_is_not_taken_back_after_a_later_one(api, smith, visit):
    moved(visit, "start")
    with clock.frozen_at(START + 100 * HOUR):
        services.move(visit, "complete", by=smith)
        assert data(reopen(api(smith), visit))["allowed"] == ["complete", "cancel"]
        assert status_and_code(reopen(api(smith), visit)) == (409, "invalid_transition")


# --- The body and the headers ---------------------------------------------------------------


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": "\u200b"}])
def test_a_reason_is_required(body, api, smith, visit):
    moved(visit, "complete")
    rows = all_rows(Appointment, AppointmentHistory)

    with clock.frozen_at(START + HOUR):
        response = api(smith).post(f"{URL}{visit.pk}/reopen/", body)

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == ["reason"]
    assert all_rows(Appointment, AppointmentHistory) == rows


@pytest.mark.parametrize("mount", [URL, "/api/appointments/api/appointments/"])
def test_both_mounts_reopen(mount, api, smith, visit):
    moved(visit, "complete")

    with clock.frozen_at(START + HOUR):
        response = reopen(api(smith), visit, mount)

    assert data(response)["status"] == "confirmed"
    assert response.json()["message"] == "Appointment reopened."
    assert AuditEvent.objects.latest("pk").event == "appointment.reopen"


def test_if_match_is_compared(api, smith, visit):
    visit = moved(visit, "complete")

    with clock.frozen_at(START + HOUR):
        stale = reopen(api(smith), visit, if_match=f'"{visit.version - 1}"')
        good = reopen(api(smith), visit, if_match=f'W/"{visit.version}"')

    assert status_and_code(stale) == (412, "stale_version")
    assert data(good)["status"] == "confirmed"


def test_a_repeated_request_with_one_key_reopens_once(api, smith, visit):
    moved(visit, "start", "complete")

    with clock.frozen_at(START + HOUR):
        answers = [reopen(api(smith), visit, idempotency_key="one") for _ in range(2)]

    assert [data(answer)["status"] for answer in answers] == ["in_progress", "in_progress"]
    assert answers[1].headers["Idempotency-Replayed"] == "true"
    assert visit.history.filter(action="reopen").count() == 1


# --- The time of a cancelled appointment ----------------------------------------------------


def test_a_cancelled_appointment_takes_its_time_again(api, smith, omar, visit):
    services.move(visit, "cancel", by=smith)

    assert data(reopen(api(smith), visit))["status"] == "confirmed"
    body = {"time_slot": visit.time_slot_id, "reason_for_visit": "A cough"}
    assert status_and_code(api(omar).post(URL, body)) == (409, "slot_taken")


def test_a_time_that_was_given_away_is_not_taken_again(api, smith, omar, visit):
    services.move(visit, "cancel", by=smith)
    make_appointment(time_slot=visit.time_slot, patient=omar)
    later = make_slot("2026-12-07 11:00", doctor=smith)
    rows = all_rows(Appointment, AppointmentHistory)

    response = reopen(api(smith), visit)

    sentence = "This time has been given to another appointment. Book another time instead."
    assert error_details(response) == (409, "slot_taken", {"status": [sentence]})
    offered = response.json()["details"]["alternatives"]
    assert [one["time_slot"] for one in offered] == [later.pk]
    assert "omar" not in response.content.decode().lower()
    assert all_rows(Appointment, AppointmentHistory) == rows


def test_a_patient_who_has_another_appointment_by_then_is_refused(api, smith, meyer, jane, visit):
    services.move(visit, "cancel", by=smith)
    make_appointment(time_slot=make_slot("2026-12-07 09:15", doctor=meyer), patient=jane)

    assert status_and_code(reopen(api(smith), visit)) == (409, "patient_overlap")


def withdraw(visit, ada):
    slot_services.withdraw(visit.time_slot)


def change_time(visit, ada):
    slot_services.change_slot(visit.time_slot, date=clock.to_clinic_time(START).date(),
                              start_time=clock.to_clinic_time(START + HOUR).time(),
                              end_time=clock.to_clinic_time(START + 2 * HOUR).time())  # fmt: skip


def close_doctor(visit, ada):
    type(visit.doctor).objects.filter(pk=visit.doctor_id).update(is_active=False)


def close_patient(visit, ada):
    patients.deactivate(visit.patient, by=ada)


WITHDRAWN = "The doctor has withdrawn this time. Book another time instead."
AWAY = "This doctor takes no appointments at present. Book another doctor instead."


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (withdraw, (409, "invalid_transition", {"status": [WITHDRAWN]})),
        (change_time, (409, "invalid_transition", {"status": [WITHDRAWN]})),
        (close_doctor, (409, "invalid_transition", {"status": [AWAY]})),
        (
            close_patient,
            (400, "validation_error", {"patient": ["This patient's record is closed."]}),
        ),
    ],
)
def test_a_time_that_is_not_offered_any_more_is_not_taken_again(
    change, expected, api, ada, smith, visit
):
    services.move(visit, "cancel", by=smith)
    change(visit, ada)
    rows = all_rows(Appointment, AppointmentHistory)

    assert error_details(reopen(api(ada), visit)) == expected
    assert all_rows(Appointment, AppointmentHistory) == rows


def test_a_cancelled_appointment_of_the_past_is_reopened_and_completed(api, ada, smith, visit):
    services.move(visit, "cancel", by=smith)
    close_doctor(visit, ada)

    with clock.frozen_at(START + HOUR):
        reopened = data(reopen(api(ada), visit))
        done = data(api(ada).post(f"{URL}{visit.pk}/complete/"))

    assert "no_show" in reopened["allowed"]
    assert (reopened["status"], done["status"]) == ("confirmed", "completed")


def test_a_patient_whose_record_is_anonymised_is_not_touched(smith, ada, jane, visit):
    moved(visit, "complete")
    call_command("anonymise_patient", str(jane.pk), "--by", ada.username, "--yes")

    with pytest.raises(ValidationError) as refused, clock.frozen_at(START + HOUR):
        services.move(visit, "reopen", by=ada, reason="A slip")

    assert [error.code for error in refused.value.error_dict["is_active"]] == ["record_anonymised"]


# --- With a consultation --------------------------------------------------------------------


def test_a_started_or_completed_consultation_says_what_to_do(api, smith, visit):
    with on_the_day(visit):
        room = consultations.start(consultations.open_for(visit, by=smith), by=smith)
        started = reopen(api(smith), visit)
        consultations.complete(room, by=smith)
        completed = reopen(api(smith), visit)
        shown = allowed(api(smith), visit)

    assert "its start. Complete or cancel it." in started.json()["message"]
    assert "Reopen the consultation" in completed.json()["message"]
    assert [status_and_code(one) for one in (started, completed)] == [CLOSED, CLOSED]
    assert shown == []


def test_the_consultation_of_a_cancelled_visit_comes_back_with_it(api, smith, visit):
    with on_the_day(visit):
        room = consultations.start(consultations.open_for(visit, by=smith), by=smith)
        services.move(visit, "cancel", by=smith)
        assert data(reopen(api(smith), visit))["status"] == "in_progress"

    assert data(api(smith).get(f"/api/consultations/{room.pk}/"))["status"] == "in_progress"


# --- The columns of the lists ---------------------------------------------------------------


def test_the_columns_follow_the_history(smith, visit):
    steps = []
    for action in ("start", "complete", "reopen", "reopen", "cancel", "reopen", "no_show"):
        with clock.frozen_at(START):
            visit = services.move(visit, action, by=smith, reason="Why")
        steps.append((visit.status, visit.previous_status, visit.status_changed_at))

    confirmed_at = visit.history.get(action="confirm").created_at
    assert steps == [
        ("in_progress", "confirmed", START),
        ("completed", "in_progress", START),
        ("in_progress", "confirmed", START),
        ("confirmed", "scheduled", confirmed_at),
        ("cancelled", "confirmed", START),
        ("confirmed", "scheduled", confirmed_at),
        ("no_show", "confirmed", START),
    ]


def test_a_row_that_the_previous_release_moved_is_reopened_to_the_status_of_its_history(
    api, smith, visit
):
    moved(visit, "start", "complete")
    Appointment.objects.filter(pk=visit.pk).update(previous_status="scheduled")

    with clock.frozen_at(START + HOUR):
        assert data(reopen(api(smith), visit))["status"] == "in_progress"


def test_an_appointment_without_a_history_is_refused(api, ada, visit):
    Appointment.objects.filter(pk=visit.pk).update(status="completed")

    assert status_and_code(reopen(api(ada), visit)) == (409, "invalid_transition")


@pytest.mark.parametrize("count", [1, 3])
def test_allowed_costs_no_query_for_a_row(count, api, smith):
    for _ in range(count):
        make_appointment("completed", doctor=smith)
    client = api(smith)

    with assert_data_queries(4):
        rows = data(client.get(URL))["results"]

    assert [row["allowed"] for row in rows] == [["reopen"]] * count


def test_statistics_follow(smith, visit):
    def counted():
        found = statistics(Appointment.objects.all())
        return found["by_status"]["completed"], found["completion_rate"], found["no_show_rate"]

    moved(visit, "complete")
    before = counted()
    with clock.frozen_at(START + HOUR):
        services.move(visit, "reopen", by=smith, reason="A slip")
    between = counted()
    moved(visit, "no_show")

    assert (before, between, counted()) == ((1, 1.0, 0.0), (0, None, None), (0, 0.0, 1.0))


def test_the_migration_copies_the_last_move_from_the_history(migrated_to, smith):
    visit = make_appointment_of_today(doctor=smith)
    services.move(visit, "start", by=smith)
    services.move(visit, "complete", by=smith)
    services.update(visit, by=smith, doctor_notes="Calm")
    new = make_appointment(doctor=smith)
    moved_at = visit.history.get(action="complete").created_at

    migrated_to("consultations", "0006_validate_text_lengths")
    migrated_to("appointments", "0008_validate_text_lengths")
    call_command("migrate", verbosity=0)

    columns = "previous_status", "status_changed_at", "version"
    rows = {row.pop("pk"): row for row in Appointment.objects.values("pk", *columns)}
    version = Appointment.objects.get(pk=visit.pk).version
    assert rows == {
        visit.pk: dict(zip(columns, ("in_progress", moved_at, version), strict=True)),
        new.pk: dict(zip(columns, ("", None, 1), strict=True)),
    }
