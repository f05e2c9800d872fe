"""Measures the cost of the audit: the same requests with and without it, in turn.

    python -m benchmarks.audit_price --rounds 300 --engine postgresql

The requests run in one process without a web server, so that the difference is easier to see. The
figures are medians of wall time and of the CPU of the process. A setting switches off the audit of
reads; the audit of changes has no setting and is patched out.
"""

import argparse
import time
from contextlib import contextmanager
from statistics import median

from verification.clinic import Clinic
from verification.server import configure, fresh_database

LIST_OF = 20


@contextmanager
def without_audit():
    from django.conf import settings

    from accounts.audit import log as audit

    reads, write = settings.AUDIT_READS, audit._write
    settings.AUDIT_READS, audit._write = "off", lambda notes: None
    try:
        yield
    finally:
        settings.AUDIT_READS, audit._write = reads, write


@contextmanager
def with_audit():
    yield


def timed(work):
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - wall) * 1000, (time.process_time() - cpu) * 1000


def requests_of(clinic):
    """Returns {name: function that prepares one request and returns its sender}."""
    from rest_framework.test import APIClient

    patient, doctor = clinic.patients[0], clinic.doctors[0]
    visits = [clinic.appointment(patient, clinic.slot(doctor)) for _ in range(LIST_OF)]
    client = APIClient(HTTP_HOST="localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {doctor.token}")

    def get(address):
        answer = client.get(address)
        if answer.status_code != 200:
            raise SystemExit(answer.content)

    def book():
        slot = clinic.slot(doctor)

        def send():
            body = {"time_slot": slot.pk, "patient": patient.pk, "reason_for_visit": "A cough"}
            answer = client.post("/api/appointments/", body)
            if answer.status_code != 201:
                raise SystemExit(answer.content)

        return send

    return {
        "appointment list of 20": lambda: lambda: get("/api/appointments/"),
        "appointment detail": lambda: lambda: get(f"/api/appointments/{visits[0].pk}/"),
        "book": book,
    }


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--engine", choices=["postgresql", "sqlite"], default="postgresql")
    options.add_argument("--rounds", type=int, default=300)
    asked = options.parse_args()
    with fresh_database(asked.engine) as database:
        configure(database)
        from django.db import connection

        ways = {"without": without_audit, "with": with_audit}
        for name, prepare in requests_of(Clinic(doctors=1, patients=1)).items():
            taken = {way: [] for way in ways}
            for number in range(asked.rounds):
                for way in sorted(ways, reverse=number % 2 == 0):
                    send = prepare()
                    with ways[way]():
                        taken[way].append(timed(send))
            told = {
                way: [median(times) for times in zip(*pairs, strict=True)]
                for way, pairs in taken.items()
            }
            wall, cpu = (told["with"][one] - told["without"][one] for one in (0, 1))
            print(
                f"{asked.engine}, {name}: {told['without'][0]:.2f} ms without, "
                f"{told['with'][0]:.2f} with (+{wall:.2f}); CPU {told['without'][1]:.2f} "
                f"and {told['with'][1]:.2f} (+{cpu:.2f})"
            )
        connection.close()


if __name__ == "__main__":
    main()
