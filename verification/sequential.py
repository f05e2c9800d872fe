"""A sequential model of booking, and a linearizability checker for concurrent histories.

A history is linearizable if its calls have an order in which each call takes effect at one instant
between its invocation and its answer. The checker searches as Wing and Gong do, remembers the
states that it tried, and treats independent parts of the history separately. The model imports
nothing from the product: it states the rules of the API contract a second time.
"""

from math import inf
from typing import NamedTuple

# action: (source statuses, target status), for visits of later days. `reopen` leads to the status
# before the cancellation.
MOVES = {
    "confirm": ({"scheduled"}, "confirmed"),
    "cancel": ({"scheduled", "confirmed"}, "cancelled"),
    "reschedule": ({"scheduled", "confirmed"}, "scheduled"),
    "reopen": ({"cancelled"}, None),
}
NOT_BEFORE_ITS_DAY = {"start", "complete"}
PATIENTS_MOVES = {"cancel", "reschedule"}
PATIENTS_STATUSES = {"scheduled", "confirmed"}


class Answer(NamedTuple):
    """The answer to a call.

    `seen` is (status, slot) of an appointment, whether a slot is free, or the allowed moves that a
    refusal names.
    """

    status: int
    code: str | None = None
    seen: object = None


class Call(NamedTuple):
    """A call of a client and its answer; `responded` is inf if no answer came."""

    # Of MOVES or NOT_BEFORE_ITS_DAY, book, withdraw (a slot) or look (at an appointment or a slot).
    action: str
    invoked: float
    responded: float
    answer: Answer
    role: str = "staff"  # or "patient"
    patient: int | None = None
    slot: int | None = None
    appointment: int | None = None  # for a successful booking, the new id

    @property
    def things(self):
        """(kind, id) pairs that the call touches; parts without a common pair are independent."""
        names = ("patient", "slot", "appointment")
        return {(name, value) for name in names if (value := getattr(self, name)) is not None}


class Appointment(NamedTuple):
    patient: int
    slot: int
    status: str = "scheduled"
    before: str | None = None  # the status before a cancellation

    @property
    def is_live(self):
        return self.status != "cancelled"


class State(NamedTuple):
    appointments: frozenset = frozenset()  # (number, Appointment) pairs
    withdrawn: frozenset = frozenset()  # slot numbers

    def live(self):
        return [one for _, one in self.appointments if one.is_live]

    def is_held(self, slot):
        return any(one.slot == slot for one in self.live())

    def having(self, number, appointment):
        others = {(n, one) for n, one in self.appointments if n != number}
        return self._replace(appointments=frozenset(others | {(number, appointment)}))


NOT_OFFERED = Answer(400, "validation_error")
GONE = Answer(404, "not_found")
TOO_EARLY = Answer(409, "too_early")
TIME_WITHDRAWN = Answer(409, "invalid_transition", ())


# --- The model ------------------------------------------------------------------------------
# `times` is {slot: (start, end)}.


def permitted(state, call, times):
    """Returns {permitted answer to the call in this state: state afterwards}."""
    if call.action == "book":
        return _book(state, call, times)
    if call.action == "withdraw":
        return _withdraw(state, call)
    if call.action == "look" and call.appointment is None:
        return _look_at_slot(state, call)
    appointment = dict(state.appointments).get(call.appointment)
    if appointment is None:
        return {}  # no client can know this number yet
    if call.action == "look":
        return {Answer(200, seen=(appointment.status, appointment.slot)): state}
    return _move(state, call, appointment, times)


def _book(state, call, times):
    if call.slot in state.withdrawn:
        return {NOT_OFFERED: state}
    if refusal := _in_the_way(state.live(), call.patient, call.slot, times):
        return {refusal: state}
    if call.appointment in dict(state.appointments):
        return {}  # two appointments never have the same number
    booked = Appointment(call.patient, call.slot)
    return {Answer(201, seen=("scheduled", call.slot)): state.having(call.appointment, booked)}


def _move(state, call, appointment, times):
    """Permits both orders of the checks of a withdrawn slot and of the status."""
    answers = {}
    if call.action == "reschedule" and call.slot in state.withdrawn:
        answers[NOT_OFFERED] = state
    allowed = _open_moves(appointment.status, call.role)
    if call.action in NOT_BEFORE_ITS_DAY and appointment.is_live:
        return {TOO_EARLY: state}
    if call.action not in allowed:
        return answers | {Answer(409, "invalid_transition", allowed): state}
    if answers:
        return answers
    slot = call.slot if call.action == "reschedule" else appointment.slot
    if refusal := _refused_time(state, call, appointment, slot, times):
        return {refusal: state}
    status = MOVES[call.action][1] or appointment.before
    before = appointment.status if status == "cancelled" else None
    moved = appointment._replace(status=status, slot=slot, before=before)
    return {Answer(200, seen=(status, slot)): state.having(call.appointment, moved)}


def _refused_time(state, call, appointment, slot, times):
    """Returns the refusal of a slot that the move would take, or None."""
    if call.action == "reopen" and slot in state.withdrawn:
        return TIME_WITHDRAWN
    if call.action == "reschedule" and slot == appointment.slot:
        return NOT_OFFERED
    if call.action not in {"reopen", "reschedule"}:
        return None
    others = [one for one in state.live() if one != appointment]
    return _in_the_way(others, appointment.patient, slot, times)


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
    """Splits a history into parts that share no patient, slot or appointment."""
    pieces = []  # (things, calls) pairs
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
    untried, tried = [(0, State())], set()  # (bits of the calls that took effect, state)
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
    """Returns calls that may take effect next: no other remaining call was answered before them."""
    left = [n for n in range(len(calls)) if not done >> n & 1]
    first_answer = min((calls[n].responded for n in left), default=inf)
    return [n for n in left if calls[n].invoked <= first_answer]


def _without_effect(calls, done, state, times):
    """Adds to `done` each call that may take effect next without changing the state.

    These calls restrict no other call, so the search need not try them later.
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


# --- The smallest counterexample ------------------------------------------------------------


def smallest_offence(history, times):
    """Returns a small part of a history that is not linearizable and still is not.

    The history ends after the first answer that no order explains. Then calls are removed while the
    rest stays not linearizable: all calls of an appointment with the refusals and reads that it
    explains, and single reads and refusals. Removing these calls never breaks a correct history.
    """
    calls = min((part for part in parts(history) if not _has_an_order(part, times)), key=len)
    instants = sorted(call.responded for call in calls)
    calls = next(
        cut for instant in instants if not _has_an_order(cut := _until(instant, calls), times)
    )
    for number in {call.appointment for call in calls} - {None}:
        rest = [
            call for call in calls if call.appointment != number and not _depends_on_others(call)
        ]
        if not _has_an_order(rest, times):
            calls = rest
    for call in list(calls):
        rest = [other for other in calls if other is not call]
        if _has_no_effect(call) and not _has_an_order(rest, times):
            calls = rest
    return sorted(calls, key=lambda call: call.invoked)


def _until(instant, calls):
    """Returns the calls invoked before the instant; later answers become unknown."""
    return [
        call if call.responded <= instant else call._replace(responded=inf)
        for call in calls
        if call.invoked < instant
    ]


def _has_no_effect(call):
    return call.action == "look" or call.answer.status >= 400


def _depends_on_others(call):
    codes = {"slot_taken", "patient_overlap", "slot_in_use"}
    return call.answer.code in codes or call.answer.seen is False
