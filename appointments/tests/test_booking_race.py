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
    assert answers[200, None] == len(moves) + 1
    refused = {(409, "invalid_transition"), (409, "too_early")}
    assert answers.keys() <= {(200, None), *refused}
    assert added == (0, -1 if end == "cancel" else 0, 0, len(moves) + 1)


def test_one_of_eight_consultations_of_an_appointment_is_opened(callers):
    answers, added = race(callers, builders.consultations_of_one_appointment)

    assert answers == {(201, None): 1, (409, "consultation_exists"): 7}
    assert added == (0, 0, 0, 0)
    assert callers.run(builders.latest_appointment_consultation_count) == 1


def test_a_reopened_appointment_and_a_booking_do_not_share_a_slot(callers):
    answers, added = race(callers, builders.reopening_and_bookings_of_the_freed_slot)

    won = [answer for answer in answers if answer[1] is None]
    assert won in ([(200, None)], [(201, None)])
    assert answers == {won[0]: 1, (409, "slot_taken"): 7}
    assert added == (1 if won == [(201, None)] else 0, 1, 0, 1)


ROUNDS = 200


def test_in_many_rounds_either_the_reopening_or_the_booking_succeeds(callers):
    """The booking takes the slot, or in every other round the patient's time."""
    won, lost = Counter(), Counter()

    for _ in range(ROUNDS):
        answers, added = race(callers, builders.reopening_and_booking)
        [success] = [answer for answer in answers if answer[0] < 400]
        [refusal] = [answer for answer in answers if answer[0] >= 400]
        assert (answers.total(), added[1]) == (2, 1)
        won[success] += 1
        lost[refusal] += 1

    assert won.keys() <= {(200, None), (201, None)}
    assert lost.keys() == {(409, "slot_taken"), (409, "patient_overlap")}
