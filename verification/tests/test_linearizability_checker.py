"""The linearizability checker accepts correct histories and refuses broken ones."""

from itertools import permutations
from math import inf
from random import Random

import pytest

from verification.sequential import (
    GONE,
    NOT_OFFERED,
    TOO_EARLY,
    Answer,
    Call,
    State,
    is_linearizable,
    parts,
    permitted,
    smallest_offence,
)

# Slots 1 and 2 belong to one doctor. Slot 3 belongs to another doctor and overlaps slot 1.
TIMES = {1: (0, 30), 2: (60, 90), 3: (15, 45)}
JANE, PAUL = 101, 102
TAKEN, OVERLAP = Answer(409, "slot_taken"), Answer(409, "patient_overlap")
STAFF_MAY = ("confirm", "cancel", "reschedule")


def book(at, patient, slot, number=None, answer=None):
    return Call(
        "book",
        *at,
        answer or Answer(201, seen=("scheduled", slot)),
        patient=patient,
        slot=slot,
        appointment=number,
    )


def move(at, action, number, answer, slot=None):
    return Call(action, *at, answer, appointment=number, slot=slot)


def look(at, number, status, slot):
    return Call("look", *at, Answer(200, seen=(status, slot)), appointment=number)


def look_at_slot(at, slot, answer):
    return Call("look", *at, answer, slot=slot)


def done(status, slot):
    return Answer(200, seen=(status, slot))


def refused(*allowed):
    return Answer(409, "invalid_transition", allowed)


BOOKED = book((0, 1), JANE, 1, number=7)

LEGAL = {
    "two patients book at once and one succeeds": [
        book((0, 3), JANE, 1, answer=TAKEN),
        book((1, 2), PAUL, 1, number=7),
    ],
    "a slot is cancelled and booked again while others are refused": [
        BOOKED,
        book((2, 9), PAUL, 1, answer=TAKEN),
        move((3, 8), "cancel", 7, done("cancelled", 1)),
        book((4, 7), PAUL, 1, number=8),
        book((5, 6), PAUL, 3, answer=OVERLAP),
        move((10, 11), "complete", 7, refused("reopen")),
        move((12, 13), "reopen", 7, TAKEN),
    ],
    "a read during a confirmation sees the status before or after": [
        BOOKED,
        move((2, 9), "confirm", 7, done("confirmed", 1)),
        look((3, 4), 7, "scheduled", 1),
        look((5, 6), 7, "confirmed", 1),
    ],
    "two appointments change places over a third slot": [
        BOOKED,
        book((2, 3), PAUL, 2, number=8),
        move((4, 9), "reschedule", 7, TAKEN, slot=2),
        move((5, 8), "cancel", 8, done("cancelled", 2)),
        move((10, 11), "reschedule", 7, done("scheduled", 2), slot=2),
        look_at_slot((12, 13), 1, Answer(200, seen=True)),
    ],
    "a slot is withdrawn after its appointment is cancelled": [
        BOOKED,
        Call("withdraw", 2, 3, Answer(409, "slot_in_use"), slot=1),
        move((4, 5), "cancel", 7, done("cancelled", 1)),
        Call("withdraw", 6, 7, Answer(204), slot=1),
        book((8, 9), PAUL, 1, answer=NOT_OFFERED),
        look_at_slot((8, 9), 1, GONE),
    ],
    "a call without an answer may have taken effect": [
        Call("book", 0, inf, Answer(201, seen=("scheduled", 1)), patient=JANE, slot=1),
        book((1, 2), PAUL, 1, answer=TAKEN),
    ],
    "a cancelled appointment is reopened to its status, before its time is booked": [
        BOOKED,
        move((2, 3), "confirm", 7, done("confirmed", 1)),
        move((4, 5), "cancel", 7, done("cancelled", 1)),
        book((6, 9), PAUL, 1, answer=TAKEN),
        move((7, 8), "reopen", 7, done("confirmed", 1)),
        move((10, 11), "start", 7, TOO_EARLY),
    ],
    "a call without an answer may have been lost": [
        Call("book", 0, inf, Answer(201, seen=("scheduled", 1)), patient=JANE, slot=1),
        book((1, 2), PAUL, 1, number=7),
    ],
}

BROKEN = {
    "a double booking": [BOOKED, book((0, 2), PAUL, 1, number=8)],
    "one patient with two doctors": [BOOKED, book((0, 2), JANE, 3, number=8)],
    "two appointments moved to one slot": [
        BOOKED,
        book((2, 3), PAUL, 3, number=8),
        move((4, 6), "reschedule", 7, done("scheduled", 2), slot=2),
        move((5, 7), "reschedule", 8, done("scheduled", 2), slot=2),
    ],
    "a lost cancel": [
        BOOKED,
        move((2, 3), "cancel", 7, done("cancelled", 1)),
        look((4, 5), 7, "scheduled", 1),
    ],
    "a cancel that kept the slot": [
        BOOKED,
        move((2, 3), "cancel", 7, done("cancelled", 1)),
        book((4, 5), PAUL, 1, answer=TAKEN),
    ],
    "a lost booking": [BOOKED, look_at_slot((2, 3), 1, Answer(200, seen=True))],
    "a stale read": [
        BOOKED,
        move((2, 3), "confirm", 7, done("confirmed", 1)),
        look((4, 5), 7, "scheduled", 1),
    ],
    "two reads that run backwards": [
        BOOKED,
        move((2, 9), "confirm", 7, done("confirmed", 1)),
        look((3, 4), 7, "confirmed", 1),
        look((5, 6), 7, "scheduled", 1),
    ],
    "confirmed after the cancellation": [
        BOOKED,
        move((2, 3), "cancel", 7, done("cancelled", 1)),
        move((4, 5), "confirm", 7, done("confirmed", 1)),
    ],
    "reopened and booked again": [
        BOOKED,
        move((2, 3), "cancel", 7, done("cancelled", 1)),
        move((4, 6), "reopen", 7, done("scheduled", 1)),
        book((4, 6), PAUL, 1, number=8),
    ],
    "completed before its day": [BOOKED, move((2, 3), "complete", 7, done("completed", 1))],
    "a refusal that names the moves of another state": [
        BOOKED,
        move((2, 3), "cancel", 7, done("cancelled", 1)),
        move((4, 5), "confirm", 7, refused(*STAFF_MAY)),
    ],
    "a slot taken before the first booking": [
        book((0, 1), PAUL, 1, answer=TAKEN),
        book((2, 3), JANE, 1, 7),
    ],
    "an old slot still held after a move": [
        BOOKED,
        move((2, 3), "reschedule", 7, done("scheduled", 2), slot=2),
        look_at_slot((4, 5), 1, Answer(200, seen=False)),
    ],
    "a slot withdrawn under its appointment": [
        BOOKED,
        Call("withdraw", 2, 3, Answer(204), slot=1),
    ],
    "a number given twice": [BOOKED, book((2, 3), PAUL, 2, number=7)],
    "an error of the server": [BOOKED, move((2, 3), "cancel", 7, Answer(500, "server_error"))],
}


@pytest.mark.parametrize("history", LEGAL.values(), ids=LEGAL)
def test_a_history_that_some_order_explains_is_accepted(history):
    assert is_linearizable(history, TIMES)


@pytest.mark.parametrize("history", BROKEN.values(), ids=BROKEN)
def test_a_history_that_no_order_explains_is_refused(history):
    assert not is_linearizable(history, TIMES)


def test_the_search_agrees_with_trying_every_order():
    dice = Random(7)  # noqa: S311 - not secret
    histories = [_a_history(dice) for _ in range(300)]

    verdicts = [is_linearizable(history, TIMES) for history in histories]

    assert verdicts == [_some_order_fits(history) for history in histories]
    assert 50 < sum(verdicts) < 250  # both verdicts occur often


def test_independent_calls_are_split_into_parts():
    elsewhere = book((0, 1), PAUL, 2, number=8)
    later = move((2, 3), "cancel", 7, done("cancelled", 1))

    pieces = parts([BOOKED, elsewhere, later])

    assert sorted(pieces) == sorted([[BOOKED, later], [elsewhere]])


def test_the_smallest_offence_has_only_the_calls_that_it_needs():
    second = book((4, 6), PAUL, 1, number=8)
    history = [
        BOOKED,
        book((1, 2), JANE, 2, number=9),
        look((2, 3), 7, "scheduled", 1),
        look_at_slot((2, 3), 1, Answer(200, seen=False)),
        book((2, 3), PAUL, 2, answer=TAKEN),
        second,
        move((7, 8), "cancel", 7, done("cancelled", 1)),
        book((9, 10), PAUL, 3, answer=OVERLAP),
    ]

    assert smallest_offence(history, TIMES) == [BOOKED, second]


def _a_history(dice):
    """Makes six overlapping calls that the model answers; often one answer is replaced."""
    numbers = iter(range(1, 9))
    state, history = State(), []
    for n in range(6):
        invoked = 2 * n - dice.choice([0, 3, 5])
        call = _a_call(dice, state, (invoked, 2 * n + dice.choice([1, 3, 5])))
        if call.action == "book":
            call = call._replace(appointment=next(numbers))
        answer, state = dice.choice(list(permitted(state, call, TIMES).items()))
        if answer.status != 201 and call.action == "book":
            call = call._replace(appointment=None)
        history.append(call._replace(answer=answer))
    if dice.random() < 0.6:
        liar = dice.randrange(len(history))
        other = dice.choice(history).answer
        history[liar] = history[liar]._replace(answer=other)
    return history


def _a_call(dice, state, at):
    known = [number for number, _ in state.appointments]
    if not known or dice.random() < 0.5:
        return book(at, dice.choice([JANE, PAUL]), dice.choice([1, 2, 3]))
    action = dice.choice(["cancel", "confirm", "reschedule", "reopen", "complete", "look"])
    slot = dice.choice([1, 2]) if action == "reschedule" else None
    return move(at, action, dice.choice(known), None, slot=slot)


def _some_order_fits(history):
    return any(_fits(order) for order in permutations(history))


def _fits(order):
    state = State()
    for n, call in enumerate(order):
        if any(later.responded < call.invoked for later in order[n + 1 :]):
            return False
        state = permitted(state, call, TIMES).get(call.answer)
        if state is None:
            return False
    return True
