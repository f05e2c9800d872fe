"""The transition table: run through the services, and compared with a fixed copy."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError

from accounts.roles import EVERYONE, UNVERIFIED, UserType
from appointments import clock, move_rules, services
from appointments.lifecycle import (
    ACTION_TITLES,
    MOVES,
    ConsultationType,
    Priority,
    Situation,
    Status,
    transition_to,
)
from appointments.models import Appointment, AppointmentHistory
from appointments.move_rules import Present
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import all_rows, clinic_time, make_slot

pytestmark = pytest.mark.usefixtures("wednesday")

START = clinic_time("2026-12-07 09:00")
AN_HOUR = timedelta(hours=1)

MOMENTS = {
    "the day before": START - timedelta(days=1),
    "on its day": START - AN_HOUR,
    "after its start": START + AN_HOUR,
    "long after": START + timedelta(hours=100),
}

# What the table may depend on, and how the rows of the agreed table call the answers.
SITUATIONS = [
    Situation(),
    Situation(day_has_come=True),
    Situation(day_has_come=True, has_begun=True),
    Situation(day_has_come=True, has_begun=True, can_be_taken_back=True, is_recent=True),
    Situation(day_has_come=True, has_begun=True, can_be_taken_back=True),
]
CONDITIONS = {
    (True, True, True, True, True): "at any time",
    (True, True, False, False, False): "until it begins",
    (False, True, True, True, True): "from its day on",
    (False, False, True, True, True): "once it has begun",
    (False, False, False, True, False): "soon after a move",
    (False, False, False, True, True): "after a move",
    (False, False, False, False, False): None,
}


def test_each_action_of_the_history_has_a_title():
    assert ACTION_TITLES.keys() == {"book", "updated", *MOVES}


@pytest.mark.parametrize("moment", MOMENTS.values(), ids=MOMENTS)
@pytest.mark.parametrize("role", UserType)
@pytest.mark.parametrize("action", MOVES)
@pytest.mark.parametrize("status", Status)
def test_a_transition_succeeds_exactly_where_the_table_allows_it(
    *, status, action, role, moment, smith, jane, ada
):
    appointment = make_appointment(
        status, patient=jane, time_slot=make_slot("2026-12-07 09:00", doctor=smith)
    )
    other_slot = make_slot("2026-12-18 09:00", doctor=smith)
    by = {"doctor": smith, "patient": jane, "admin": ada}[role]
    new_slot = {"time_slot": other_slot} if action == "reschedule" else {}
    before = all_rows(Appointment, AppointmentHistory)
    move, source = MOVES[action], appointment.previous_status

    with clock.frozen_at(moment):
        situation = Present.at(moment).situation(appointment)
        is_allowed = role in move.sources.get(status, ()) and move.condition(role, situation)
        assert is_allowed == (action in move_rules.open_moves(appointment, role=role))
        if is_allowed:
            moved = services.move(appointment, action, by=by, reason="because", **new_slot)

            entry = moved.history.last()
            assert moved.status == (move.target or source)
            assert (entry.action, entry.from_status, entry.to_status) == (
                action,
                status,
                moved.status,
            )
            assert (entry.changed_by_id, entry.reason) == (by.pk, "because")
            assert AppointmentHistory.objects.count() == len(before[1]) + 1
        else:
            with pytest.raises(ValidationError) as refused:
                services.move(appointment, action, by=by, reason="because", **new_slot)

            [error] = refused.value.error_dict["status"]
            is_early = role in move.sources.get(status, ()) and moment == MOMENTS["the day before"]
            early_code = "invalid_transition" if action == "reopen" else "too_early"
            assert error.code == (early_code if is_early else "invalid_transition")
            assert all_rows(Appointment, AppointmentHistory) == before


def condition_of(move, status, role):
    """Describes the condition, from the table's answers in each situation."""
    answers = tuple(
        move.is_allowed(status=status, role=role, situation=situation) for situation in SITUATIONS
    )
    return CONDITIONS[answers]


def target_of(move):
    return move.target and move.target.value


def test_the_table_matches_the_agreed_one():
    """The other tests follow the table, so only this test detects a wrong row."""
    rows = {
        (
            action,
            status.value,
            role,
            target_of(move),
            condition_of(move, status, role),
        )
        for action, move in MOVES.items()
        for status in Status
        for role in [*EVERYONE, UNVERIFIED]
    }

    assert {row for row in rows if row[-1]} == {
        ("confirm", "scheduled", "doctor", "confirmed", "at any time"),
        ("confirm", "scheduled", "admin", "confirmed", "at any time"),
        ("start", "scheduled", "doctor", "in_progress", "from its day on"),
        ("start", "scheduled", "admin", "in_progress", "from its day on"),
        ("start", "confirmed", "doctor", "in_progress", "from its day on"),
        ("start", "confirmed", "admin", "in_progress", "from its day on"),
        ("complete", "scheduled", "doctor", "completed", "from its day on"),
        ("complete", "scheduled", "admin", "completed", "from its day on"),
        ("complete", "confirmed", "doctor", "completed", "from its day on"),
        ("complete", "confirmed", "admin", "completed", "from its day on"),
        ("complete", "in_progress", "doctor", "completed", "from its day on"),
        ("complete", "in_progress", "admin", "completed", "from its day on"),
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
        ("reschedule", "scheduled", "patient", "scheduled", "until it begins"),
        ("reschedule", "scheduled", "doctor", "scheduled", "at any time"),
        ("reschedule", "scheduled", "admin", "scheduled", "at any time"),
        ("reschedule", "confirmed", "patient", "scheduled", "until it begins"),
        ("reschedule", "confirmed", "doctor", "scheduled", "at any time"),
        ("reschedule", "confirmed", "admin", "scheduled", "at any time"),
        ("reopen", "in_progress", "doctor", None, "soon after a move"),
        ("reopen", "in_progress", "admin", None, "after a move"),
        ("reopen", "completed", "doctor", None, "soon after a move"),
        ("reopen", "completed", "admin", None, "after a move"),
        ("reopen", "cancelled", "doctor", None, "soon after a move"),
        ("reopen", "cancelled", "admin", None, "after a move"),
        ("reopen", "no_show", "doctor", None, "soon after a move"),
        ("reopen", "no_show", "admin", None, "after a move"),
    }


def test_roles_of_an_action_are_the_union_of_its_rows():
    assert {action: move.roles for action, move in MOVES.items()} == {
        "confirm": {"doctor", "admin"},
        "start": {"doctor", "admin"},
        "complete": {"doctor", "admin"},
        "no_show": {"doctor", "admin"},
        "cancel": {"patient", "doctor", "admin"},
        "reschedule": {"patient", "doctor", "admin"},
        "reopen": {"doctor", "admin"},
    }


def test_the_visit_has_begun_at_its_exact_start(smith, jane):
    visit = make_appointment(patient=jane, time_slot=make_slot("2026-12-07 09:00", doctor=smith))
    present = Present.at(START)

    assert move_rules.open_moves(visit, role="patient", present=present) == []
    assert move_rules.open_moves(visit, role="doctor", present=present) == [
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
