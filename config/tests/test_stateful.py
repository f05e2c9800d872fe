"""Generated sequences of requests by all users: slots, bookings, transitions, consultations.

Responses are checked against the documentation and bodies are generated as in test_schemathesis,
but the steps build on each other and refer to records made before.
"""

from collections import Counter
from datetime import date, timedelta
from itertools import pairwise
from random import Random

from django.core.cache import cache
from django.db import transaction
from django.db.models import Count
from hypothesis import seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from appointments.models import Appointment, TimeSlot
from config.tests.fuzzing import Fuzzer, aim_at, load
from config.tests.test_matrix import Asked, world
from config.tests.test_schemathesis import CASES, REPRODUCIBLE, SEED, tell
from config.tests.unchanged import database_digest, record_writes
from consultations.models import Consultation

__all__ = ["world"]  # a fixture

MAKING = [
    "POST /api/time-slots/",
    "POST /api/appointments/",
    "POST /api/consultations/",
    "POST /api/consultations/{consultation}/vital-signs/",
    "POST /api/consultations/{consultation}/prescriptions/",
    "POST /api/consultations/{consultation}/notes/",
    "POST /api/patients/",
]
CHANGING = [
    "POST /api/time-slots/create_bulk_slots/",
    "PATCH /api/time-slots/{id}/",
    "DELETE /api/time-slots/{id}/",
    "POST /api/appointments/{id}/confirm/",
    "POST /api/appointments/{id}/start/",
    "POST /api/appointments/{id}/cancel/",
    "POST /api/appointments/{id}/reschedule/",
    "PATCH /api/appointments/{id}/",
    "POST /api/consultations/{id}/start_consultation/",
    "POST /api/consultations/{id}/complete_consultation/",
    "PATCH /api/consultations/{id}/",
    "PATCH /api/patients/{id}/",
]
READING = [
    "GET /api/appointments/",
    "GET /api/appointments/{id}/history/",
    "GET /api/consultations/{id}/",
    "GET /api/patients/{patient}/appointments/",
    "GET /api/patients/{patient}/consultations/",
    "GET /api/doctor-availability/",
    "GET /api/statistics/",
]
HEADERS = ["If-Match", "Idempotency-Key"]
STEPS = 40
A_DAY = date(2027, 5, 3)


class Story(RuleBasedStateMachine):
    """`fuzzer` and `made` (successes by operation) are shared by all stories.

    Hypothesis generates the bodies and seeds the random choices of user and record; if it made
    these choices itself, it would repeat the first one too often.
    """

    fuzzer = made = None

    def __init__(self):
        super().__init__()
        self.undone = transaction.atomic()
        self.undone.__enter__()
        self.records = {kind: [pk] for kind, pk in self.fuzzer.world.ids["j"].items()}
        self.records["time-slots"] += self.records.pop("other slot")
        self.before = self.fuzzer.before

    @initialize(dice=st.integers(1, 2**64))
    def begin(self, dice):
        self.random = Random(dice)  # noqa: S311  no secret: to be told again alike

    def teardown(self):
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    @rule(data=st.data())
    def somebody_does_something(self, data):
        label = self.random.choice([*MAKING, *MAKING, *CHANGING, *READING])
        caller = self.random.choice(["jane", "house", "ada"])
        answer = self.ask(label, caller, data)
        if label in MAKING and answer.status_code == 201:
            kind = label.rstrip("/").rsplit("/", 1)[-1]
            self.records[kind].append(answer.json()["data"]["id"])

    def ask(self, label, caller, data):
        operation = load().find_operation_by_label(label)
        asked = Asked(self.fuzzer.world, caller, "j", {})
        asked.ids = asked.part_ids = {
            kind: self.random.choice(pks) for kind, pks in self.records.items()
        } | {"other slot": self.random.choice(self.records["time-slots"])}
        case = data.draw(operation.as_strategy())
        kept = self.random.choice([0, 0, 0, 1, 2, 4, 8, 15])  # of the made-up fields
        case = aim_at(operation, asked)(case, at_a_record=True, kept=kept)
        # Made up, the one is mostly another version, and the other mostly came before.
        for name in self.random.choice([HEADERS, HEADERS, HEADERS, HEADERS[:1]]):
            case.headers.pop(name, None)
        if isinstance(case.body, dict) and "date" in case.body:
            # Few dates, so that slots are adjacent and sometimes overlap.
            case.body["date"] = str(A_DAY + timedelta(days=self.random.randrange(60)))
        if "availability" in label:
            case.query = {"doctor": asked.ids["doctors"]}
        return self.send(label, caller, case)

    def send(self, label, caller, case):
        cache.clear()
        with record_writes() as written:
            answer = self.fuzzer.send(caller, case)
        after = database_digest() if written else self.before
        if answer.status_code >= 400:
            assert after == self.before, (label, answer.status_code, written)
        else:
            self.made[label] += 1
        self.before = after
        return answer

    @invariant()
    def no_slot_is_taken_twice_and_no_appointment_has_two_consultations(self):
        live = Appointment.objects.exclude(status="cancelled")
        assert not _doubles(live, "time_slot")
        assert not _doubles(Consultation.objects.exclude(appointment=None), "appointment")

    @invariant()
    def every_appointment_has_history_and_a_live_one_has_the_times_of_its_slot(self):
        for appointment in Appointment.objects.select_related("time_slot"):
            last = appointment.history.last()
            assert last.to_status == appointment.status
            assert last.to_starts_at == appointment.starts_at
            # The slot of a cancelled appointment may have been moved.
            is_live = appointment.status != "cancelled"
            assert not is_live or appointment.starts_at == appointment.time_slot.starts_at

    @invariant()
    def no_doctor_has_overlapping_slots(self):
        slots = TimeSlot.objects.filter(withdrawn_at=None).order_by("doctor", "starts_at")
        for one, next_one in pairwise(slots):
            assert one.doctor_id != next_one.doctor_id or one.ends_at <= next_one.starts_at


def _doubles(rows, name):
    return rows.values(name).annotate(n=Count("pk")).filter(n__gt=1).order_by().exists()


def test_rules_hold_for_any_sequence_of_requests(world):
    Story.fuzzer, Story.made = Fuzzer(world), Counter()
    stories = settings(REPRODUCIBLE, max_examples=max(5, CASES // 100), stateful_step_count=STEPS)

    run_state_machine_as_test(seed(SEED)(Story), settings=stories)

    tell("stories", Story.fuzzer)
    assert Story.fuzzer.found == {}
    # Chance may omit a few operations, but a story without successes tests nothing.
    assert [label for label in MAKING if not Story.made[label]] == []
    assert len(Story.made) > len([*MAKING, *CHANGING, *READING]) - 4
