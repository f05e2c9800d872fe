"""Of many who ask at once exactly one gets it, whatever the engine."""

from collections import Counter

import pytest

from appointments.tests import builders

pytestmark = pytest.mark.django_db(transaction=True)


def race(callers, scene):
    """The answers of a race, and what it added to (appointments, live, slots, history)."""
    calls = callers.at_the_desk(scene)
    before = callers.at_the_desk(builders.rows)
    answers = callers.all_at_once(builders.ask, calls)
    after = callers.at_the_desk(builders.rows)
    assert callers.at_the_desk(builders.double_bookings) == ([], [])
    assert callers.at_the_desk(builders.torn) == []
    added = tuple(now - then for now, then in zip(after, before, strict=True))
    return Counter(answers), added


def test_of_eight_who_want_one_slot_exactly_one_gets_it(callers):
    answers, added = race(callers, builders.eight_patients_want_one_slot)

    assert answers == {(201, None): 1, (409, "slot_taken"): 7}
    assert added == (1, 1, 0, 1)


def test_one_patient_cannot_book_two_doctors_at_once(callers):
    answers, added = race(callers, builders.one_patient_wants_two_doctors_at_once)

    assert answers == {(201, None): 1, (409, "patient_overlap"): 1}
    assert added == (1, 1, 0, 1)


def test_of_two_slots_that_overlap_exactly_one_is_opened(callers):
    answers, added = race(callers, builders.a_doctor_opens_two_slots_that_overlap)

    assert answers == {(201, None): 1, (409, "slot_overlap"): 1}
    assert added == (0, 0, 1, 0)


def test_of_eight_who_move_to_one_slot_the_others_keep_the_old_one(callers):
    answers, added = race(callers, builders.eight_patients_move_to_one_slot)

    assert answers == {(200, None): 1, (409, "slot_taken"): 7}
    assert added == (0, 0, 0, 1)


def test_of_moves_that_exclude_each_other_exactly_one_is_made(callers):
    answers, added = race(callers, builders.four_complete_what_four_others_cancel)

    assert answers == {(200, None): 1, (409, "invalid_transition"): 7}
    assert (added[0], added[3]) == (0, 1)


def test_an_appointment_moved_completed_and_cancelled_at_once_ends_once(callers):
    answers, added = race(callers, builders.one_appointment_is_moved_completed_and_cancelled)

    *moves, end = callers.at_the_desk(builders.newest_story)[1:]
    assert end in {"complete", "cancel"}
    assert set(moves) <= {"reschedule"}
    assert answers == Counter(
        {(200, None): len(moves) + 1, (409, "invalid_transition"): 7 - len(moves)}
    )
    assert added == (0, -1 if end == "cancel" else 0, 0, len(moves) + 1)


def test_of_eight_who_open_a_consultation_exactly_one_does(callers):
    answers, added = race(callers, builders.eight_open_the_consultation_of_one_appointment)

    assert answers == {(201, None): 1, (409, "consultation_exists"): 7}
    assert added == (0, 0, 0, 0)
    assert callers.at_the_desk(builders.consultations_of_the_newest) == 1
