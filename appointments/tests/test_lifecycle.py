"""The transition table: run through the services, and compared with a fixed copy."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from accounts.roles import EVERYONE, UNVERIFIED, UserType
from appointments import clock, services
from appointments.lifecycle import (
    ACTION_TITLES,
    MOVES,
    ConsultationType,
    Priority,
    Status,
    open_moves,
    transition_to,
)
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import all_rows, clinic_time, make_slot

pytestmark = pytest.mark.usefixtures("wednesday")

START = clinic_time("2026-12-07 09:00")
AN_HOUR = timedelta(hours=1)

BEFORE = START - AN_HOUR
AFTER = START + AN_HOUR


def test_each_action_of_the_history_has_a_title():
    assert ACTION_TITLES.keys() == {"book", "updated", *MOVES}


@pytest.mark.parametrize("moment", [BEFORE, AFTER], ids=["before", "after"])
@pytest.mark.parametrize("role", UserType)
@pytest.mark.parametrize("action", MOVES)
@pytest.mark.parametrize("status", Status)
def test_a_transition_succeeds_exactly_where_the_table_allows_it(
    *, status, action, role, moment, smith, jane, ada
):
    appointment = make_appointment(
        status, patient=jane, time_slot=make_slot("2026-12-07 09:00", doctor=smith)
    )
    other_slot = make_slot("2026-12-08 09:00", doctor=smith)
    by = {"doctor": smith, "patient": jane, "admin": ada}[role]
    new_slot = {"time_slot": other_slot} if action == "reschedule" else {}
    before = all_rows(Appointment, AppointmentHistory)
    move = MOVES[action]

    with clock.frozen_at(moment):
        if role in move.sources.get(status, ()) and move.condition(role, moment >= START):
            moved = services.move(appointment, action, by=by, reason="because", **new_slot)

            entry = moved.history.last()
            assert moved.status == move.target
            assert (entry.action, entry.from_status, entry.to_status) == (
                action,
                status,
                move.target,
            )
            assert (entry.changed_by_id, entry.reason) == (by.pk, "because")
            assert AppointmentHistory.objects.count() == len(before[1]) + 1
        else:
            with pytest.raises(ValidationError) as refused:
                services.move(appointment, action, by=by, **new_slot)

            [error] = refused.value.error_dict["status"]
            assert error.code == "invalid_transition"
            assert all_rows(Appointment, AppointmentHistory) == before


def condition_of(move, status, role):
    """Describes the condition, from the table's answers an hour before and after the start."""
    answers = tuple(
        move.is_allowed_from(status=status, role=role, starts_at=START, now=now)
        for now in (BEFORE, AFTER)
    )
    return {
        (True, True): "at any time",
        (True, False): "until it begins",
        (False, True): "once it has begun",
        (False, False): None,
    }[answers]


def test_the_table_matches_the_agreed_one():
    """The other tests follow the table, so only this test detects a wrong row."""
    rows = {
        (action, status.value, role, move.target.value, condition_of(move, status, role))
        for action, move in MOVES.items()
        for status in Status
        for role in [*EVERYONE, UNVERIFIED]
    }

    assert {row for row in rows if row[-1]} == {
        ("confirm", "scheduled", "doctor", "confirmed", "at any time"),
        ("confirm", "scheduled", "admin", "confirmed", "at any time"),
        ("start", "scheduled", "doctor", "in_progress", "at any time"),
        ("start", "scheduled", "admin", "in_progress", "at any time"),
        ("start", "confirmed", "doctor", "in_progress", "at any time"),
        ("start", "confirmed", "admin", "in_progress", "at any time"),
        ("complete", "scheduled", "doctor", "completed", "at any time"),
        ("complete", "scheduled", "admin", "completed", "at any time"),
        ("complete", "confirmed", "doctor", "completed", "at any time"),
        ("complete", "confirmed", "admin", "completed", "at any time"),
        ("complete", "in_progress", "doctor", "completed", "at any time"),
        ("complete", "in_progress", "admin", "completed", "at any time"),
        ("no_show", "scheduled", "doctor", "no_show", "once it has begun"),
        ("no_show", "scheduled", "admin", "no_show", "once it has begun"),
        ("no_show", "confirmed", "doctor", "no_show", "once it has begun"),
        ("no_show", "confirmed", "admin", "no_show", "once it has begun"),
        ("cancel", "scheduled", "patient", "cancelled", "until it begins"),
        ("cancel", "scheduled", "doctor", "cancelled", "at any time"),
        ("cancel", "scheduled", "admin", "cancelled", "at any time"),
        ("cancel", "confirmed", "patient", "cancelled", "until it begins"),
        ("cancel", "confirmed", "doctor", "cancelled", "at any time"),
        ("cancel", "confirmed", "admin", "cancelled", "at any time"),
        ("cancel", "in_progress", "doctor", "cancelled", "at any time"),
        ("cancel", "in_progress", "admin", "cancelled", "at any time"),
        ("reschedule", "scheduled", "patient", "scheduled", "at any time"),
        ("reschedule", "scheduled", "doctor", "scheduled", "at any time"),
        ("reschedule", "scheduled", "admin", "scheduled", "at any time"),
        ("reschedule", "confirmed", "patient", "scheduled", "at any time"),
        ("reschedule", "confirmed", "doctor", "scheduled", "at any time"),
        ("reschedule", "confirmed", "admin", "scheduled", "at any time"),
    }


def test_roles_of_an_action_are_the_union_of_its_rows():
    assert {action: move.roles for action, move in MOVES.items()} == {
        "confirm": {"doctor", "admin"},
        "start": {"doctor", "admin"},
        "complete": {"doctor", "admin"},
        "no_show": {"doctor", "admin"},
        "cancel": {"patient", "doctor", "admin"},
        "reschedule": {"patient", "doctor", "admin"},
    }


def test_the_visit_has_begun_at_its_exact_start():
    state = {"status": "scheduled", "starts_at": START, "now": START}

    assert open_moves(role="patient", **state) == ["reschedule"]
    assert open_moves(role="doctor", **state) == [
        "confirm",
        "start",
        "complete",
        "no_show",
        "cancel",
        "reschedule",
    ]


def test_a_status_maps_to_the_transition_that_leads_to_it():
    assert {status.value: transition_to(status) for status in Status} == {
        "scheduled": None,
        "confirmed": "confirm",
        "in_progress": "start",
        "completed": "complete",
        "cancelled": "cancel",
        "no_show": "no_show",
    }


def test_the_stored_values_are_the_documented_ones():
    """Rows of the database and clients of the API hold these values."""
    assert Status.values == [
        "scheduled",
        "confirmed",
        "in_progress",
        "completed",
        "cancelled",
        "no_show",
    ]
    assert ConsultationType.values == [
        "general",
        "follow_up",
        "emergency",
        "routine_checkup",
        "specialist",
    ]
    assert Priority.values == ["low", "medium", "high", "urgent"]
