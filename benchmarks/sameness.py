"""Whether product, floor and FastAPI give the same answers and leave the same rows.

Of the typical project, which has shapes of its own, only that its lists hold the same records.
"""

import json
from itertools import product

from benchmarks.stopwatch import Client

SAME = ["floor", "fastapi", "product"]
OF_ITS_OWN = {"id", "created_at", "updated_at"}  # what no two bookings share
AFTER_A_BOOKING = {
    "appointments_appointment": "id = %(pk)s",
    "appointments_appointmenthistory": "appointment_id = %(pk)s",
    "accounts_auditevent": "records = jsonb_build_array('appointment/' || %(pk)s)",
    "accounts_idempotencykey": "made = to_jsonb(%(pk)s)",
}


def ask(server, request):
    """(status, parsed body)."""
    client = Client(server.port)
    client.send(request)
    while (status := client.status()) is None:
        pass
    client.socket.close()
    return status, json.loads(client.answer.partition(b"\r\n\r\n")[2])


def check(servers, calls):
    """How many answers were compared; SystemExit at the first that differs."""
    compared = 0
    reads = calls.reads()
    del reads["list by cursor"]
    doctor, patient = calls.doctors[0], calls.patients[0]
    reads["the patient's list"] = [calls.get(patient, "/api/appointments/")]
    reads["the second page"] = [calls.get(doctor, "/api/appointments/?page=2")]
    reads["the doctor's profile"] = [calls.get(doctor, "/api/auth/profile/")]
    for name, requests in reads.items():
        for request in requests[:20]:
            compared += 1
            compare(name, {one: ask(servers[one], request) for one in SAME})
    for name in ("list", "slots"):
        for request in reads[name][:20]:
            compared += 1
            compare(name, {one: _records(servers[one], request) for one in ("naive", "product")})
    for number in range(20):
        [(patient, slot)] = calls.slots(1)
        key = {"Idempotency-Key": f"booking-{number}"} if number % 2 else {}
        request = calls.book(patient, slot, **key)
        compared += 1
        compare("book", {one: _booked_and_undone(servers[one], request) for one in SAME})
    for name, request in _to_be_refused(servers["product"], calls):
        compared += 1
        answers = {one: ask(servers[one], request) for one in SAME}
        told = {one: (status, answer.get("code")) for one, (status, answer) in answers.items()}
        compare(name, told, expected={400, 401, 404, 409})
    return compared


def _records(server, request):
    """(status, how many there are, the ids on the page)."""
    status, answer = ask(server, request)
    return status, answer["data"]["count"], [row["id"] for row in answer["data"]["results"]]


def _to_be_refused(product, calls):
    """(name, request) of what must be turned away for the same reason."""
    from accounts.auth.sessions import open_session
    from accounts.models import User

    (patient, slot), (other, next_door) = calls.slots(2)
    _, booked = ask(product, calls.book(patient, slot))
    yield "a taken slot", calls.book(other, slot)
    yield "two places at once", calls.book(patient, next_door)
    yield "a slot of the past", calls.book(patient, 1)
    yield "another's appointment", calls.get(other, f"/api/appointments/{booked['data']['id']}/")
    person = User.objects.get(pk=calls.patients[0] + 1)  # none of those who are measured
    calls.tokens[person.pk] = open_session(person)["access"]
    person.sessions.end()
    yield "an ended session", calls.get(person.pk, "/api/auth/profile/")


def compare(name, answers, expected=frozenset({200, 201})):
    for (this, first), (that, other) in product(list(answers.items())[:1], answers.items()):
        if other != first or first[0] not in expected:
            told = "\n".join(json.dumps(each, default=str) for each in (first, other))
            raise SystemExit(f"{name}: {this} and {that} differ:\n{told}")


def _booked_and_undone(server, request):
    """(status, answer, rows it left) without what is a booking's own; then it is taken back."""
    from django.db import connection

    status, answer = ask(server, request)
    if status != 201:
        return status, answer, {}
    pk, rows = answer["data"]["id"], {}
    with connection.cursor() as cursor:
        for table, condition in AFTER_A_BOOKING.items():
            cursor.execute(
                f"SELECT to_jsonb(one) FROM {table} one WHERE {condition}",  # noqa: S608
                {"pk": pk},
            )
            rows[table] = [_without_its_own(json.loads(row), pk) for (row,) in cursor.fetchall()]
        cursor.execute("DELETE FROM accounts_idempotencykey WHERE made = to_jsonb(%s)", [pk])
        cursor.execute(
            "DELETE FROM appointments_appointmenthistory WHERE appointment_id = %s", [pk]
        )
        cursor.execute("DELETE FROM appointments_appointment WHERE id = %s", [pk])
    return status, answer | {"data": _without_its_own(answer["data"], pk)}, rows


def _without_its_own(row, pk):
    names = {pk: "it", str([f"appointment/{pk}"]): "it"}
    return {
        name: names.get(value if isinstance(value, int) else str(value), value)
        for name, value in row.items()
        if name not in OF_ITS_OWN | {"at", "request_id"}
    }
