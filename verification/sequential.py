"""Booking as if one call came after the other, and whether a history of calls at once fits that.

A history is linearizable where its calls can be put in an order in which each took effect at one
instant between its invocation and its answer. The search is Wing and Gong's, with the memory of
what it tried, for each independent part of the history by itself. It knows nothing of the product:
the rules are written down a second time here, from the contract.
"""

from math import inf
from typing import NamedTuple

# action: (from which status, to which)
MOVES = {
    "confirm": ({"scheduled"}, "confirmed"),
    "start": ({"scheduled", "confirmed"}, "in_progress"),
    "complete": ({"scheduled", "confirmed", "in_progress"}, "completed"),
    "cancel": ({"scheduled", "confirmed", "in_progress"}, "cancelled"),
    "reschedule": ({"scheduled", "confirmed"}, "scheduled"),
}
PATIENTS_MOVES = {"cancel", "reschedule"}
PATIENTS_STATUSES = {"scheduled", "confirmed"}


class Answer(NamedTuple):
    """`seen`: an appointment's (status, slot), or is a slot free, or the moves a refusal names."""

    status: int
    code: str | None = None
    seen: object = None


class Call(NamedTuple):
    """What a client asked, and was told; `responded` is inf where nobody knows whether it was."""

    action: str  # of MOVES, or: book, withdraw (a slot), look (at an appointment or a slot)
    invoked: float
    responded: float
    answer: Answer
    role: str = "staff"  # or "patient"
    patient: int | None = None
    slot: int | None = None
    appointment: int | None = None  # of a booking that succeeded: the number it was given

    @property
    def things(self):
        """What it touches; calls that have nothing in common, also over others, are independent."""
        names = ("patient", "slot", "appointment")
        return {(name, value) for name in names if (value := getattr(self, name)) is not None}


class Appointment(NamedTuple):
    patient: int
    slot: int
    status: str = "scheduled"

    @property
    def is_live(self):
        return self.status != "cancelled"


class State(NamedTuple):
    appointments: frozenset = frozenset()  # of (number, Appointment)
    withdrawn: frozenset = frozenset()  # slots

    def live(self):
        return [one for _, one in self.appointments if one.is_live]

    def is_held(self, slot):
        return any(one.slot == slot for one in self.live())

    def having(self, number, appointment):
        others = {(n, one) for n, one in self.appointments if n != number}
        return self._replace(appointments=frozenset(others | {(number, appointment)}))


NOT_OFFERED = Answer(400, "validation_error")
GONE = Answer(404, "not_found")


# --- The clinic -----------------------------------------------------------------------------
# `times` of a slot: (start, end).


def permitted(state, call, times):
    """{what may be answered to the call in this state: the state afterwards}."""
    if call.action == "book":
        return _book(state, call, times)
    if call.action == "withdraw":
        return _withdraw(state, call)
    if call.action == "look" and call.appointment is None:
        return _look_at_slot(state, call)
    appointment = dict(state.appointments).get(call.appointment)
    if appointment is None:
        return {}  # nobody can know its number yet
    if call.action == "look":
        return {Answer(200, seen=(appointment.status, appointment.slot)): state}
    return _move(state, call, appointment, times)


def _book(state, call, times):
    if call.slot in state.withdrawn:
        return {NOT_OFFERED: state}
    if refusal := _in_the_way(state.live(), call.patient, call.slot, times):
        return {refusal: state}
    if call.appointment in dict(state.appointments):
        return {}  # a number is given once
    booked = Appointment(call.patient, call.slot)
    return {Answer(201, seen=("scheduled", call.slot)): state.having(call.appointment, booked)}


def _move(state, call, appointment, times):
    """A withdrawn slot may be refused before the appointment's status is, and after."""
    answers = {}
    if call.action == "reschedule" and call.slot in state.withdrawn:
        answers[NOT_OFFERED] = state
    allowed = _open_moves(appointment.status, call.role)
    if call.action not in allowed:
        return answers | {Answer(409, "invalid_transition", allowed): state}
    if answers:
        return answers
    slot = appointment.slot
    if call.action == "reschedule":
        if call.slot == slot:
            return {NOT_OFFERED: state}
        others = [one for one in state.live() if one != appointment]
        if refusal := _in_the_way(others, appointment.patient, call.slot, times):
            return {refusal: state}
        slot = call.slot
    status = MOVES[call.action][1]
    moved = appointment._replace(status=status, slot=slot)
    return {Answer(200, seen=(status, slot)): state.having(call.appointment, moved)}


def _withdraw(state, call):
    if call.slot in state.withdrawn:
        return {GONE: state}
    if state.is_held(call.slot):
        return {Answer(409, "slot_in_use"): state}
    return {Answer(204): state._replace(withdrawn=state.withdrawn | {call.slot})}


def _look_at_slot(state, call):
    if call.slot in state.withdrawn:
        return {GONE: state}
    return {Answer(200, seen=not state.is_held(call.slot)): state}


def _in_the_way(appointments, patient, slot, times):
    if any(one.slot == slot for one in appointments):
        return Answer(409, "slot_taken")
    start, end = times[slot]
    for one in appointments:
        other_start, other_end = times[one.slot]
        if one.patient == patient and other_start < end and start < other_end:
            return Answer(409, "patient_overlap")
    return None


def _open_moves(status, role):
    return tuple(
        action
        for action, (sources, _) in MOVES.items()
        if status in sources
        and (role == "staff" or (action in PATIENTS_MOVES and status in PATIENTS_STATUSES))
    )


# --- The search -----------------------------------------------------------------------------


def is_linearizable(history, times):
    return all(_has_an_order(part, times) for part in parts(history))


def parts(history):
    """The history in pieces that have no patient, slot or appointment in common."""
    pieces = []  # of (things, calls)
    for call in history:
        things, calls = call.things, [call]
        apart = []
        for piece in pieces:
            if piece[0] & things:
                things, calls = things | piece[0], piece[1] + calls
            else:
                apart.append(piece)
        pieces = [*apart, (things, calls)]
    return [calls for _, calls in pieces]


def _has_an_order(calls, times):
    calls = sorted(calls, key=lambda call: call.invoked)
    answered = sum(1 << n for n, call in enumerate(calls) if call.responded < inf)
    untried, tried = [(0, State())], set()  # (the calls that took effect, as bits; the state)
    while untried:
        done, state = untried.pop()
        done = _without_effect(calls, done, state, times)
        if done & answered == answered:
            return True
        if (done, state) in tried:
            continue
        tried.add((done, state))
        for n in _next(calls, done):
            after = permitted(state, calls[n], times).get(calls[n].answer)
            if after is not None:
                untried.append((done | 1 << n, after))
    return False


def _next(calls, done):
    """The calls that may take effect now: no other was answered before they were invoked."""
    left = [n for n in range(len(calls)) if not done >> n & 1]
    first_answer = min((calls[n].responded for n in left), default=inf)
    return [n for n in left if calls[n].invoked <= first_answer]


def _without_effect(calls, done, state, times):
    """`done`, and every call that may come now and leaves the state as it is.

    None of them has to be tried later: it forbids nothing to the others.
    """
    while True:
        idle = [
            n
            for n in _next(calls, done)
            if permitted(state, calls[n], times).get(calls[n].answer) == state
        ]
        if not idle:
            return done
        done |= sum(1 << n for n in idle)


# --- What is wrong with one -----------------------------------------------------------------


def smallest_offence(history, times):
    """The least of a history that is not linearizable which still is not.

    It is cut after the first answer that fits no order; then what the offence does not need goes:
    whole appointments, with all that was refused or seen for the sake of one, and every other look
    and refusal. To leave them out makes no history wrong that was right.
    """
    calls = min((part for part in parts(history) if not _has_an_order(part, times)), key=len)
    instants = sorted(call.responded for call in calls)
    calls = next(
        cut for instant in instants if not _has_an_order(cut := _until(instant, calls), times)
    )
    for number in {call.appointment for call in calls} - {None}:
        rest = [call for call in calls if call.appointment != number and not _tells_of_others(call)]
        if not _has_an_order(rest, times):
            calls = rest
    for call in list(calls):
        rest = [other for other in calls if other is not call]
        if _has_no_effect(call) and not _has_an_order(rest, times):
            calls = rest
    return sorted(calls, key=lambda call: call.invoked)


def _until(instant, calls):
    """What was known at that instant: who was not answered by then may have been heard or not."""
    return [
        call if call.responded <= instant else call._replace(responded=inf)
        for call in calls
        if call.invoked < instant
    ]


def _has_no_effect(call):
    return call.action == "look" or call.answer.status >= 400


def _tells_of_others(call):
    codes = {"slot_taken", "patient_overlap", "slot_in_use"}
    return call.answer.code in codes or call.answer.seen is False
