"""A clinic under load: clients who book with an Idempotency-Key and come again until they are
answered, what they met, and what the database holds of it afterwards.
"""

import json
import secrets
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from threading import Event, Thread
from typing import NamedTuple

from verification.clinic import Clinic
from verification.server import HOST, PORT, configure, gunicorn

BOOKING = "/api/appointments/"
PATIENCE = 180  # seconds a client asks for one booking
PAUSE = 0.2  # seconds until it asks again: sooner than it is told to, to be in the way
BROKEN = "broken connection"
UNAVAILABLE = "503 unavailable"
IN_PROGRESS = "409 request_in_progress"


class Report:
    """What an experiment found; `passed` while nothing of it was amiss."""

    def __init__(self):
        self.passed = True

    def note(self, sentence):
        print(f"       {sentence}", flush=True)

    def check(self, sentence, *, holds):
        self.passed &= bool(holds)
        print(f"{'ok    ' if holds else 'FAILED'} {sentence}", flush=True)


@contextmanager
def a_clinic(database, slots, clients):
    """(a token for each client, the ids of the slots, the gunicorn that serves them)."""
    configure(database)
    from django.db import connections

    clinic = Clinic(doctors=1, patients=clients)
    tokens = [patient.token for patient in clinic.patients]
    slots = [clinic.slot(clinic.doctors[0]).pk for _ in range(slots)]
    connections.close_all()
    with gunicorn() as master:
        yield tokens, slots, master


class Answer(NamedTuple):
    status: int
    headers: dict
    content: bytes

    @property
    def data(self):
        return json.loads(self.content)["data"]

    @property
    def name(self):
        """Its status and code; a 503 is `unavailable` only in the envelope, with Retry-After."""
        try:
            body = json.loads(self.content)
            code = body.get("code", "")
        except (ValueError, AttributeError):
            return f"{self.status} without an envelope"
        if self.status == 503 and not (
            body.get("status") == "error"
            and body.get("request_id")
            and self.headers.get("Retry-After", "").isdigit()
        ):
            return "503 without Retry-After or envelope"
        return f"{self.status} {code}".strip()


def ask(token, method, path, body=None, **headers):
    """One request over a connection of its own; OSError or HTTPException where that broke.

    Without a `token` a stranger's.
    """
    headers = {"Connection": "close"} | headers
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body)
        headers["Content-Type"] = "application/json"
    connection = HTTPConnection(HOST, PORT, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def ask_all_at_once(tokens, path):
    """The names of the answers to as many readers."""
    with ThreadPoolExecutor(len(tokens)) as pool:
        return list(pool.map(lambda token: ask(token, "GET", path).name, tokens))


def tally(names):
    return ", ".join(f"{count} x {name}" for name, count in Counter(names).most_common()) or "-"


class Outcome(NamedTuple):
    """What came of one booking: the appointment's id, and what was met on the way to it."""

    token: str
    slot: int
    key: str
    appointment: int | None
    replayed: bool
    met: list  # (when, what)


def book(token, slot, key=None, patience=PATIENCE):
    """Book a slot, with the same key again and again, until the answer says it is booked."""
    key, met = key or secrets.token_hex(16), []
    body = {"time_slot": slot, "reason_for_visit": "A fault"}
    give_up = time.monotonic() + patience
    while True:
        try:
            answer = ask(token, "POST", BOOKING, body, **{"Idempotency-Key": key})
        except (OSError, HTTPException):
            met.append((time.monotonic(), BROKEN))
        else:
            if answer.status == 201:
                replayed = answer.headers.get("Idempotency-Replayed") == "true"
                return Outcome(token, slot, key, answer.data["id"], replayed, met)
            met.append((time.monotonic(), answer.name))
        if time.monotonic() >= give_up:
            return Outcome(token, slot, key, None, False, met)
        time.sleep(PAUSE)


def book_while(tokens, slots, disturb):
    """The outcomes of all slots, each token a client, while `disturb(left)` runs.

    `left()` is the number of bookings not answered yet.
    """
    with ThreadPoolExecutor(len(tokens)) as pool:
        asked = [
            pool.submit(book, tokens[number % len(tokens)], slot)
            for number, slot in enumerate(slots)
        ]
        disturb(lambda: sum(not future.done() for future in asked))
        return [future.result() for future in asked]


@contextmanager
def reading(token):
    """Somebody reads a list all the while: [(when, answer's name)]."""
    seen, over = [], Event()

    def read():
        while not over.wait(0.05):
            try:
                name = ask(token, "GET", BOOKING).name
            except (OSError, HTTPException):
                name = BROKEN
            seen.append((time.monotonic(), name))

    reader = Thread(target=read)
    reader.start()
    try:
        yield seen
    finally:
        over.set()
        reader.join()


# --- What is there afterwards ----------------------------------------------------------------


def ledger(outcomes):
    """{what must not be: how many}, after every booking was answered."""
    from django.db import connections

    from accounts.models import AuditEvent, IdempotencyKey
    from appointments.models import Appointment, AppointmentHistory

    connections.close_all()  # it may be another server by now
    live = set(Appointment.objects.live().values_list("pk", "time_slot"))
    held = Counter(slot for _, slot in live)
    booked = AppointmentHistory.objects.filter(action="book")
    entries = Counter(booked.values_list("appointment", flat=True))
    everything = set(Appointment.objects.values_list("pk", flat=True))
    events = AuditEvent.objects.filter(event="appointment.book", action="C")
    written = Counter(int(event.records[0].partition("/")[2]) for event in events)
    keys = list(IdempotencyKey.objects.values_list("key", "made", "status_code"))
    connections.close_all()
    answered = [outcome for outcome in outcomes if outcome.appointment]
    recorded = {record: key for key, record, _ in keys}
    return {
        "bookings never answered": len(outcomes) - len(answered),
        "acknowledged and lost": sum(
            (outcome.appointment, outcome.slot) not in live for outcome in answered
        ),
        "acknowledged twice": len(answered) - len({outcome.appointment for outcome in answered}),
        "slots held twice": sum(count > 1 for count in held.values()),
        "appointments without their one history row": sum(entries[pk] != 1 for pk in everything),
        "history rows without appointment": len(set(entries) - everything),
        "appointments without their one audit event": sum(written[pk] != 1 for pk in everything),
        "audit events without appointment": len(set(written) - everything),
        "keys without their record": sum(
            record not in everything or status != 201 for _, record, status in keys
        ),
        "records without their key": len(everything - set(recorded)),
        "keys that name another record": sum(
            recorded.get(outcome.appointment) != outcome.key for outcome in answered
        ),
        "live appointments too many or too few": abs(len(live) - len(outcomes)),
    }
