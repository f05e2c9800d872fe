"""Checks that concurrent booking calls over HTTP are linearizable.

    python -m verification.linearizability --runs 100 --clients 16 --calls 12
    python -m verification.linearizability --engine sqlite --runs 30

Many clients make random calls on few slots and patients. The script records the instants of each
invocation and answer, and sequential.py decides whether some sequential order explains the answers
of a run. `--seed` determines the calls but not their timing. If a run is not linearizable, the
script prints the smallest history that shows it and exits with 1.
"""

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random
from typing import NamedTuple

from verification.clinic import BOOKINGS, SLOTS, Clinic, ask, contradictions
from verification.sequential import Answer, Call, is_linearizable, parts, smallest_offence
from verification.server import configure, fresh_database, gunicorn

WARDS = 2  # two wards share no doctor and no patient
DOCTORS, PATIENTS, HOURS = 2, 3, 4  # in each ward

# {action of a client: how often, in percent}
HABITS = {
    "book": 24,
    "cancel": 22,
    "reopen": 10,
    "reschedule": 16,
    "confirm": 9,
    "look": 12,
    "start": 3,
    "complete": 2,
    "withdraw": 2,
}
RECENT = 4  # a client chooses among this many appointments, the latest ones


class Booked(NamedTuple):
    number: int
    patient: object
    doctor: object


class Ward:
    """Two doctors with overlapping slots and three patients: few enough for collisions."""

    def __init__(self, clinic, number):
        self.admin = clinic.admin
        doctors = clinic.doctors[number * DOCTORS :][:DOCTORS]
        self.patients = clinic.patients[number * PATIENTS :][:PATIENTS]
        self.slots, self.times = [], {}  # [(slot, doctor)], {slot: (start, end)}
        self.booked = []
        for _ in range(HOURS):
            hour = clinic.hour()
            for n, doctor in enumerate(doctors):
                slot = clinic.slot(doctor, hour + timedelta(minutes=15 * n))
                self.slots.append((slot.pk, doctor))
                self.times[slot.pk] = slot.starts_at, slot.ends_at

    def call(self, dice):
        """Makes one random call and returns it with its answer."""
        [action] = dice.choices(list(HABITS), HABITS.values())
        slot, doctor = dice.choice(self.slots)
        booked = dice.choice(self.booked[-RECENT:]) if self.booked else None
        if action == "book" or not booked:
            return self._book(slot, doctor, dice)
        if action == "withdraw":
            return made(action, doctor, f"{SLOTS}{slot}/", method="DELETE", slot=slot)
        if action == "look" and dice.random() < 0.5:
            return made(action, doctor, f"{SLOTS}{slot}/", method="GET", slot=slot)
        return self._step(action, booked, dice)

    def last_looks(self):
        """Yields the reads of an admin after all clients have finished."""
        for booked in self.booked:
            path = f"{BOOKINGS}{booked.number}/"
            yield made("look", self.admin, path, method="GET", appointment=booked.number)
        for slot, _ in self.slots:
            yield made("look", self.admin, f"{SLOTS}{slot}/", method="GET", slot=slot)

    def _book(self, slot, doctor, dice):
        patient = dice.choice(self.patients)
        by = dice.choice([patient, patient, doctor, self.admin])
        body = {"time_slot": slot, "reason_for_visit": "A cough"}
        if by is not patient:
            body["patient"] = patient.pk
        call = made("book", by, BOOKINGS, body, slot=slot, patient=patient.pk)
        if call.appointment is not None:
            self.booked.append(Booked(call.appointment, patient, doctor))
        return call

    def _step(self, action, booked, dice):
        path = f"{BOOKINGS}{booked.number}/"
        people = [booked.doctor, self.admin]
        if action in {"cancel", "reschedule", "look"}:
            people.append(booked.patient)
        by = dice.choice(people)
        about = {"appointment": booked.number, "role": "staff" if by in people[:2] else "patient"}
        if action == "look":
            return made(action, by, path, method="GET", **about)
        body = {"reason": "A slip"} if action == "reopen" else {}
        if action == "reschedule":
            about["slot"] = body["time_slot"] = dice.choice(
                [slot for slot, doctor in self.slots if doctor is booked.doctor]
            )
        return made(action, by, f"{path}{action}/", body, **about)


def made(action, by, path, body=None, method="POST", **about):
    """Makes a call and returns it in the form that sequential.py reads."""
    invoked = time.monotonic()
    answer = ask(by.token, path, body, method=method)
    responded = time.monotonic()
    if action == "book" and answer.status == 201:
        about["appointment"] = answer.data["id"]
    given = Answer(answer.status, answer.code, seen(answer))
    return Call(action, invoked, responded, given, **about)


def seen(answer):
    if answer.code == "invalid_transition":
        return tuple(answer.body["details"]["allowed"])
    if "is_available" in answer.data:
        return answer.data["is_available"]
    if "time_slot" in answer.data:
        return answer.data["status"], answer.data["time_slot"]
    return None


def a_run(clinic, pool, clients, calls, seed):
    """Returns (history, {slot: (start, end)}) of `clients` that make `calls` each."""
    wards = [Ward(clinic, number) for number in range(WARDS)]

    def client(number):
        dice = Random(f"{seed}/{number}")  # noqa: S311 - not secret
        return [dice.choice(wards).call(dice) for _ in range(calls)]

    history = [call for calls in pool.map(client, range(clients)) for call in calls]
    history += [call for ward in wards for call in ward.last_looks()]
    return history, {slot: at for ward in wards for slot, at in ward.times.items()}


def unwritten(history):
    """Returns appointments whose history rows differ from their successful calls."""
    from appointments.models import AppointmentHistory

    told = Counter(
        (call.appointment, call.action)
        for call in history
        if call.action not in {"look", "withdraw"} and call.answer.status < 300
    )
    numbers = {number for number, _ in told}
    rows = AppointmentHistory.objects.filter(appointment__in=numbers)
    written = Counter(rows.values_list("appointment", "action"))
    return {number for number, _ in (told - written) + (written - told)}


def show(history):
    began = history[0].invoked
    for call in history:
        at = f"{(call.invoked - began) * 1000:9.1f} to {(call.responded - began) * 1000:9.1f} ms"
        what = " ".join(f"{name} {number}" for name, number in sorted(call.things))
        told = " ".join(str(word) for word in call.answer if word is not None)
        print(f"  {at}  {call.role} {call.action} {what}: {told}")


def experiment(asked):
    """Returns whether all runs were linearizable and left no contradiction."""
    clinic = Clinic(doctors=WARDS * DOCTORS, patients=WARDS * PATIENTS)
    answers, good, pieces, offences, torn = Counter(), 0, 0, [], set()
    with gunicorn(), ThreadPoolExecutor(asked.clients) as pool:
        for n in range(asked.runs):
            history, times = a_run(clinic, pool, asked.clients, asked.calls, f"{asked.seed}/{n}")
            answers.update(
                (call.action, call.answer.status, call.answer.code or "") for call in history
            )
            pieces += len(parts(history))
            torn |= unwritten(history)
            if is_linearizable(history, times):
                good += 1
            else:
                offences.append(smallest_offence(history, times))
    found = {what: number for what, number in contradictions().items() if number}
    print(f"{asked.engine}: {asked.runs} runs of {asked.clients} clients, seed {asked.seed}")
    for (action, status, code), count in sorted(answers.items()):
        print(f"  {action} {status} {code}: {count}")
    print(f"  {answers.total()} calls, judged in {pieces} independent parts")
    print(f"  appointments whose history differs from the answers: {len(torn)}")
    for what, number in found.items():
        print(f"  FOUND {number} {what}")
    print(f"{good} runs linearizable, {len(offences)} not")
    if offences:
        print("The smallest history that is not:")
        show(min(offences, key=len))
    return not (offences or torn or found)


def main():
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--engine", choices=["postgresql", "sqlite"], default="postgresql")
    options.add_argument("--runs", type=int, default=100)
    options.add_argument("--clients", type=int, default=16)
    options.add_argument("--calls", type=int, default=12, help="made by each client in a run")
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    with fresh_database(asked.engine) as database:
        configure(database)
        good = experiment(asked)
        from django.db import connections

        connections.close_all()
    sys.exit(not good)


if __name__ == "__main__":
    main()
