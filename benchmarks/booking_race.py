"""Many clients at one slot, round after round, over HTTP: one 201, the rest 409, nothing else.

    python benchmarks/booking_race.py --engine postgresql --rounds 1000 --clients 50
    python benchmarks/booking_race.py --engine sqlite --rounds 200 --clients 50

Prints what was answered and how many slots are held by how many rows; exits 1 where a round had
another outcome than one winner.
"""

import argparse
import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.client import HTTPConnection
from threading import local

from server import HOST, PORT, configure, fresh_database, gunicorn

mine = local()


def post(token, path, body):
    """(status, parsed body) over a connection each thread keeps."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    if not hasattr(mine, "connection"):
        mine.connection = HTTPConnection(HOST, PORT, timeout=60)
    mine.connection.request("POST", path, json.dumps(body), headers)
    answer = mine.connection.getresponse()
    return answer.status, json.loads(answer.read())


def people(clients):
    """(the doctor, a token for each patient)."""
    from accounts import services
    from accounts.sessions import open_session

    doctor = services.register(
        username="doctor",
        user_type="doctor",
        medical_license_number="MD-1",
        specialization="General Practice",
    )
    services.verify_licence(doctor)
    patients = [
        services.register(username=f"patient{n}", user_type="patient") for n in range(clients)
    ]
    return doctor, [open_session(patient)["access"] for patient in patients]


def open_rounds(doctor, rounds):
    """The ids of as many slots, one a round."""
    from appointments import clock
    from appointments.models import TimeSlot

    start = clock.now() + timedelta(days=1)
    slots = [
        TimeSlot(
            doctor_id=doctor.pk,
            starts_at=start + timedelta(minutes=30 * n),
            ends_at=start + timedelta(minutes=30 * (n + 1)),
        )
        for n in range(rounds)
    ]
    return [slot.pk for slot in TimeSlot.objects.bulk_create(slots)]


def race(rounds, clients):
    doctor, tokens = people(clients)
    slots = open_rounds(doctor, rounds)
    answers, spoiled = Counter(), 0
    with gunicorn(), ThreadPoolExecutor(clients) as pool:
        for slot in slots:
            body = {"time_slot": slot, "reason_for_visit": "Race"}
            asked = pool.map(lambda token, b=body: post(token, "/api/appointments/", b), tokens)
            outcome = Counter((status, body.get("code")) for status, body in asked)
            answers += outcome
            spoiled += outcome != {(201, None): 1, (409, "slot_taken"): clients - 1}
    return answers, spoiled


def held_twice():
    from appointments.models import Appointment, TimeSlot

    live = Counter(Appointment.objects.live().values_list("time_slot", flat=True))
    return sum(count != 1 for count in live.values()), TimeSlot.objects.count() - len(live)


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--engine", choices=["postgresql", "sqlite"], default="postgresql")
    options.add_argument("--rounds", type=int, default=1000)
    options.add_argument("--clients", type=int, default=50)
    asked = options.parse_args()
    with fresh_database(asked.engine) as database:
        configure(database)
        answers, spoiled = race(asked.rounds, asked.clients)
        twice, empty = held_twice()
        from django.db import connections

        connections.close_all()
    print(f"{asked.engine}: {asked.rounds} rounds of {asked.clients} clients")
    for (status, code), count in sorted(answers.items(), key=str):
        print(f"  {status} {code or ''}: {count}")
    print(f"  rounds with another outcome: {spoiled}; slots held twice: {twice}, by none: {empty}")
    print(f"{asked.rounds - spoiled} passed, {spoiled} failed")
    sys.exit(bool(spoiled or twice or empty))


if __name__ == "__main__":
    main()
