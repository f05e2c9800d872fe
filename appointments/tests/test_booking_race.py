"""Exactly one of several concurrent requests succeeds, on both database engines."""

from collections import Counter

import pytest

from appointments.tests import builders

pytestmark = pytest.mark.django_db(transaction=True)


def race(callers, scenario):
    """Runs a scenario; returns a count of the responses and the row counts that the race added."""
    calls = callers.run(scenario)
    before = callers.run(builders.row_counts)
    answers = callers.run_concurrently(builders.post_as, calls)
    after = callers.run(builders.row_counts)
    assert callers.run(builders.double_bookings) == ([], [])
    assert callers.run(builders.inconsistent_appointments) == []
    added = tuple(now - then for now, then in zip(after, before, strict=True))
    return Counter(answers), added


def test_one_of_eight_concurrent_bookings_of_a_slot_succeeds(callers):
    answers, added = race(callers, builders.bookings_of_one_slot)

    assert answers == {(201, None): 1, (409, "slot_taken"): 7}
    assert added == (1, 1, 0, 1)


def test_one_of_two_overlapping_bookings_of_a_patient_succeeds(callers):
    answers, added = race(callers, builders.overlapping_bookings_of_one_patient)

    assert answers == {(201, None): 1, (409, "patient_overlap"): 1}
    assert added == (1, 1, 0, 1)


def test_one_of_two_overlapping_slots_is_opened(callers):
    answers, added = race(callers, builders.overlapping_slots_of_one_doctor)

    assert answers == {(201, None): 1, (409, "slot_overlap"): 1}
    assert added == (0, 0, 1, 0)


def test_one_of_eight_reschedules_to_a_slot_succeeds(callers):
    answers, added = race(callers, builders.reschedules_to_one_slot)

    assert answers == {(200, None): 1, (409, "slot_taken"): 7}
    assert added == (0, 0, 0, 1)


def test_one_of_several_conflicting_transitions_succeeds(callers):
    answers, added = race(callers, builders.completions_and_cancellations)

    assert answers == {(200, None): 1, (409, "invalid_transition"): 7}
    assert (added[0], added[3]) == (0, 1)


def test_concurrent_reschedules_completions_and_cancellations_end_once(callers):
    answers, added = race(callers, builders.conflicting_transitions)

    *moves, end = callers.run(builders.latest_appointment_actions)[1:]
    assert end in {"complete", "cancel"}
    assert set(moves) <= {"reschedule"}
    assert answers == Counter(
        {(200, None): len(moves) + 1, (409, "invalid_transition"): 7 - len(moves)}
    )
    assert added == (0, -1 if end == "cancel" else 0, 0, len(moves) + 1)


def test_one_of_eight_consultations_of_an_appointment_is_opened(callers):
    answers, added = race(callers, builders.consultations_of_one_appointment)

    assert answers == {(201, None): 1, (409, "consultation_exists"): 7}
    assert added == (0, 0, 0, 0)
    assert callers.run(builders.latest_appointment_consultation_count) == 1
