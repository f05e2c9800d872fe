"""Checks that product, floor and FastAPI give the same answers and write the same rows.

Only fields that both of two answers have are compared where the product has more, and only the
columns of WRITTEN. A new field of the product therefore does not stop the measurements. The typical
project has other fields; its lists must hold the same records.
"""

import json

from benchmarks.stopwatch import Client

SAME = ["floor", "fastapi", "product"]
ALSO_BY_CORE = ["list", "detail", "the patient's list", "the second page"]
UNIQUE = {"id", "created_at", "updated_at"}  # fields that differ between two bookings

# {table: (condition on the rows of a booking, columns that floor and FastAPI write)}
WRITTEN = {
    "appointments_appointment": (
        "id = %(pk)s",
        (
            *("patient_id", "doctor_id", "time_slot_id", "starts_at", "ends_at", "status"),
            *("consultation_type", "priority", "reason_for_visit", "symptoms", "contact_phone"),
            *("patient_notes", "doctor_notes", "booked_by_id", "version"),
        ),
    ),
    "appointments_appointmenthistory": (
        "appointment_id = %(pk)s",
        (
            *("action", "from_status", "to_status", "from_starts_at", "to_starts_at"),
            *("changes", "reason", "changed_by_id"),
        ),
    ),
    "accounts_auditevent": (
        "records = jsonb_build_array('appointment/' || %(pk)s)",
        (
            *("actor", "role", "session", "action", "event", "patients", "changed"),
            *("outcome", "address"),
        ),
    ),
    "accounts_idempotencykey": (
        "made = to_jsonb(%(pk)s)",
        ("user_id", "key", "fingerprint", "status_code"),
    ),
}


def ask(server, request):
    """Returns (status, parsed body)."""
    client = Client(server.port)
    client.send(request)
    while (status := client.status()) is None:
        pass
    client.socket.close()
    return status, json.loads(client.answer.partition(b"\r\n\r\n")[2])


def check(servers, calls):
    """Returns the number of answers compared; SystemExit at the first difference."""
    compared = 0
    reads = calls.reads()
    del reads["list by cursor"]
    doctor, patient = calls.doctors[0], calls.patients[0]
    reads["the patient's list"] = [calls.get(patient, "/api/appointments/")]
    reads["the second page"] = [calls.get(doctor, "/api/appointments/?page=2")]
    reads["the doctor's profile"] = [calls.get(doctor, "/api/auth/profile/")]
    for name, requests in reads.items():
        variants = [*SAME, "fastapi core"] if name in ALSO_BY_CORE else SAME
        for request in requests[:20]:
            compared += 1
            compare(name, {one: ask(servers[one], request) for one in variants})
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
    for name, request in _refused(servers["product"], calls):
        compared += 1
        answers = {one: ask(servers[one], request) for one in SAME}
        codes = {one: (status, answer.get("code")) for one, (status, answer) in answers.items()}
        compare(name, codes, expected={400, 401, 404, 409})
    return compared


def compare(name, answers, expected=frozenset({200, 201})):
    """Compares each answer with the product's, or with the first; SystemExit if one differs."""
    reference = "product" if "product" in answers else next(iter(answers))
    for one, answer in answers.items():
        wanted = _common(answers[reference], answer)
        if answer != wanted or answer[0] not in expected:
            shown = "\n".join(json.dumps(each, default=str) for each in (wanted, answer))
            raise SystemExit(f"{name}: {reference} and {one} differ:\n{shown}")


def _common(value, other):
    """Returns `value` without the keys of dicts that `other` does not have."""
    if isinstance(value, dict) and isinstance(other, dict):
        return {key: _common(value[key], other[key]) for key in other if key in value}
    both_lists = isinstance(value, list | tuple) and isinstance(other, list | tuple)
    if both_lists and len(value) == len(other):
        return type(value)(map(_common, value, other))
    return value


def _records(server, request):
    """Returns (status, count, ids on the page) of a list."""
    status, answer = ask(server, request)
    return status, answer["data"]["count"], [row["id"] for row in answer["data"]["results"]]


def _refused(product, calls):
    """Yields (name, request) of requests that all must refuse for the same reason."""
    from accounts.auth.sessions import open_session
    from accounts.models import User

    (patient, slot), (other, next_door) = calls.slots(2)
    _, booked = ask(product, calls.book(patient, slot))
    yield "a taken slot", calls.book(other, slot)
    yield "two places at once", calls.book(patient, next_door)
    yield "a slot of the past", calls.book(patient, 1)
    yield "another's appointment", calls.get(other, f"/api/appointments/{booked['data']['id']}/")
    person = User.objects.get(pk=calls.patients[0] + 1)  # a person whose requests are not measured
    calls.tokens[person.pk] = open_session(person)["access"]
    person.sessions.end()
    yield "an ended session", calls.get(person.pk, "/api/auth/profile/")


def _booked_and_undone(server, request):
    """Returns (status, answer, rows written) of a booking, without UNIQUE, and deletes its rows."""
    from django.db import connection

    status, answer = ask(server, request)
    if status != 201:
        return status, answer, {}
    pk, rows = answer["data"]["id"], {}
    with connection.cursor() as cursor:
        for table, (condition, columns) in WRITTEN.items():
            cursor.execute(
                f"SELECT to_jsonb(one) FROM {table} one WHERE {condition}",  # noqa: S608
                {"pk": pk},
            )
            found = [json.loads(row) for (row,) in cursor.fetchall()]
            rows[table] = [{name: row[name] for name in columns} for row in found]
        cursor.execute("DELETE FROM accounts_idempotencykey WHERE made = to_jsonb(%s)", [pk])
        cursor.execute(
            "DELETE FROM appointments_appointmenthistory WHERE appointment_id = %s", [pk]
        )
        cursor.execute("DELETE FROM appointments_appointment WHERE id = %s", [pk])
    data = {name: value for name, value in answer["data"].items() if name not in UNIQUE}
    return status, answer | {"data": data}, rows
