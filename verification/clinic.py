"""Accounts, slots and HTTP calls of an experiment, and the invariants of its database.

server.configure must run first: this module also uses the models.
"""

import json
import time
from datetime import timedelta
from http.client import HTTPConnection
from itertools import pairwise
from threading import local
from typing import NamedTuple

from verification.server import HOST, PORT

BOOKINGS, SLOTS, CONSULTATIONS = "/api/appointments/", "/api/time-slots/", "/api/consultations/"
HALF_HOUR = timedelta(minutes=30)

IDLE = 1  # seconds; gunicorn closes idle connections after 2 s, and a POST is never sent twice

mine = local()


class Person(NamedTuple):
    account: object
    token: str

    @property
    def pk(self):
        return self.account.pk


class Answer(NamedTuple):
    status: int
    code: str | None  # None on success
    body: dict

    @property
    def data(self):
        return self.body.get("data") or {}


def ask(token, path, body=None, method="POST"):
    """Sends one request over a connection that the thread keeps while busy."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection = _connection()
    connection.request(method, path, json.dumps(body) if body is not None else None, headers)
    response = connection.getresponse()
    answer = json.loads(response.read() or "{}")
    mine.used = time.monotonic()
    return Answer(response.status, answer.get("code"), answer)


def _connection():
    if time.monotonic() - getattr(mine, "used", 0) > IDLE:
        mine.connection = HTTPConnection(HOST, PORT, timeout=60)
    return mine.connection


class Clinic:
    """Accounts with tokens, and hours without slots."""

    def __init__(self, *, doctors, patients):
        from appointments import clock

        self.admin = self._person("admin", 0)
        self.doctors = [self._person("doctor", n) for n in range(doctors)]
        self.patients = [self._person("patient", n) for n in range(patients)]
        self._next = clock.start_of_day(clock.today() + timedelta(days=2))

    def hour(self):
        """Returns the start of an unused hour."""
        hour, self._next = self._next, self._next + timedelta(hours=1)
        return hour

    def day(self):
        """Returns an unused day in ISO format."""
        day = self._next.date() + timedelta(days=2)
        self._next += timedelta(days=4)
        return day.isoformat()

    def slot(self, doctor, starts_at=None):
        """Opens a slot of half an hour, in an unused hour if `starts_at` is None."""
        from appointments.models import TimeSlot

        start = starts_at or self.hour()
        return TimeSlot.objects.create(
            doctor_id=doctor.pk, starts_at=start, ends_at=start + HALF_HOUR
        )

    def appointment(self, patient, slot):
        from appointments import services

        return services.book(
            patient=patient.account, time_slot=slot, by=patient.account, reason_for_visit="A cough"
        )

    @staticmethod
    def _person(user_type, n):
        from accounts import licences, services
        from accounts.auth.sessions import open_session
        from patients.models import Patient

        name = f"{user_type}{n}"
        fields = {"username": name, "last_name": name, "user_type": user_type}
        if user_type == "doctor":
            fields |= {"medical_license_number": f"MD-{n}", "specialization": "General Practice"}
        account = services.register(**fields)
        if user_type == "doctor":
            licences.verify_licence(account)
        if user_type == "patient":
            account = Patient.objects.get(pk=account.pk)
        return Person(account, open_session(account)["access"])


def contradictions():
    """Returns {forbidden state of the database: count}; all counts should be 0."""
    from accounts.models import AuditEvent
    from appointments.models import Appointment, TimeSlot

    booked = AuditEvent.objects.filter(event="appointment.book", action="C").count()
    live = Appointment.objects.live()
    standing = TimeSlot.objects.filter(withdrawn_at=None)
    return {
        "slots held twice": live.count() - live.values("time_slot").distinct().count(),
        "overlaps of a doctor's slots": _overlaps(standing, "doctor"),
        "overlaps of a patient's appointments": _overlaps(live, "patient"),
        "bookings without their event": abs(Appointment.objects.count() - booked),
    }


def _overlaps(rows, owner):
    times = rows.order_by(owner, "starts_at").values_list(owner, "starts_at", "ends_at")
    return sum(a == b and start < end for (a, _, end), (b, start, _) in pairwise(times))
