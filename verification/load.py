"""Books under load with retries, and compares the answers with the database.

Clients send an Idempotency-Key and repeat a request until a booking is acknowledged.
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
PATIENCE = 180  # seconds that a client tries one booking
PAUSE = 0.2  # seconds between two tries; shorter than Retry-After, to add load
BROKEN = "broken connection"
UNAVAILABLE = "503 unavailable"
IN_PROGRESS = "409 request_in_progress"


class Report:
    """Prints the findings of an experiment; `passed` is False after a failed check."""

    def __init__(self):
        self.passed = True

    def note(self, sentence):
        print(f"       {sentence}", flush=True)

    def check(self, sentence, *, holds):
        self.passed &= bool(holds)
        print(f"{'ok    ' if holds else 'FAILED'} {sentence}", flush=True)


@contextmanager
def a_clinic(database, slots, clients):
    """Yields (a token per client, ids of slots, the gunicorn process)."""
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
        """Status and code; a 503 needs the error envelope and Retry-After to be `unavailable`."""
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
    """Sends one request over a new connection; `token` None sends it anonymously.

    Raises OSError or HTTPException if the connection breaks.
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
    """Sends one read per token at the same time and returns the names of the answers."""
    with ThreadPoolExecutor(len(tokens)) as pool:
        return list(pool.map(lambda token: ask(token, "GET", path).name, tokens))


def tally(names):
    return ", ".join(f"{count} x {name}" for name, count in Counter(names).most_common()) or "-"


class Outcome(NamedTuple):
    """The result of one booking: the appointment, and the failed tries before it."""

    token: str
    slot: int
    key: str
    appointment: int | None
    replayed: bool
    met: list  # (instant, name of the answer) of each failed try


def book(token, slot, key=None, patience=PATIENCE):
    """Books a slot; repeats the request with the same key until it is acknowledged."""
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
    """Books all slots, with one client per token, while `disturb(left)` runs.

    `left()` is the number of bookings that are not acknowledged yet. Returns the outcomes.
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
    """Reads a list repeatedly in a thread. Yields [(instant, name of the answer)]."""
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


# --- The database afterwards -----------------------------------------------------------------


def ledger(outcomes):
    """Returns {contradiction between outcomes and database: count}; all counts should be 0."""
    from django.db import connections

    from accounts.models import AuditEvent, IdempotencyKey
    from appointments.models import Appointment, AppointmentHistory

    connections.close_all()  # the server may have restarted
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
