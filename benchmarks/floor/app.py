"""The floor: the product's answers from bare WSGI, psycopg2, PyJWT and orjson.

    gunicorn benchmarks.floor.app:application

The floor looks up the session and scopes rows by role as the product does. A booking takes the same
locks, makes the same checks and writes the same rows. Everything else is left out.
"""

import os
import re
from http import HTTPStatus
from threading import local
from urllib.parse import parse_qsl
from uuid import uuid4

import orjson
import psycopg2

from benchmarks.contract import (
    BOOKED,
    PAGE_SIZE,
    Refused,
    allowed,
    check_session,
    claims_of,
    fingerprint,
    now,
    paged,
    profile,
    success,
)
from benchmarks.floor.statements import (
    APPOINTMENTS,
    BOOK,
    CLAIM_KEY,
    FREE,
    HELD,
    LOCK_PATIENT,
    LOCK_SLOT,
    NEWEST,
    OWN_ROWS,
    PROFILE,
    SESSION,
    SLOTS,
)

thread = local()

DETAILS = {  # {optional field of a booking: default}
    "consultation_type": "general",
    "priority": "medium",
    "symptoms": "",
    "contact_phone": "",
    "patient_notes": "",
    "doctor_notes": "",
}


def query(statement, *values):
    """Executes a statement and returns its rows; each thread keeps one connection."""
    if not hasattr(thread, "cursor"):
        connection = psycopg2.connect(os.environ["DATABASE_URL"], options="-c timezone=UTC")
        connection.autocommit = True
        thread.cursor = connection.cursor()
    thread.cursor.execute(statement, values[0] if isinstance(values[0], dict) else values)
    return thread.cursor.fetchall()


class Caller:
    def __init__(self, environ, more=()):
        self.session, user = claims_of(environ.get("HTTP_AUTHORIZATION", ""))
        columns = "".join(f", u.{name}" for name in more)
        rows = query(SESSION.format(more=columns), self.session, user)
        if not rows:
            raise Refused(401, "token_invalid")
        check_session(*rows[0][:5])
        self.pk, self.role, self.row = int(user), rows[0][3], rows[0][5:]


def appointments(environ):
    caller, asked = Caller(environ), dict(parse_qsl(environ["QUERY_STRING"], True))
    scope = OWN_ROWS[caller.role]
    if "cursor" in asked:
        return 200, success(keyset(caller, scope, environ["HTTP_HOST"], asked["cursor"]))
    page = int(asked.get("page", 1))
    counting = f"SELECT count(*) FROM appointments_appointment WHERE {scope}"  # noqa: S608
    [(count,)] = query(counting, caller.pk)
    statement = APPOINTMENTS.format(own_rows=scope, chosen=f"{NEWEST} OFFSET %s")
    rows = query(statement, caller.pk, (page - 1) * PAGE_SIZE)
    results = [appointment(row, caller.role) for row in rows]
    return 200, success(page_of(environ, asked, page, count, results))


def keyset(caller, scope, host, cursor):
    """Returns the page after the row of the cursor, `starts_at,id`, without a count."""
    after, values = "", ()
    if cursor:
        after, values = "AND (starts_at, id) < (%s::timestamptz, %s)", cursor.split(",")
    statement = APPOINTMENTS.format(own_rows=scope, chosen=f"{after} {NEWEST}")
    shown = [appointment(row, caller.role) for row in query(statement, caller.pk, *values)]
    link = None
    if len(shown) == PAGE_SIZE:
        last = f"{shown[-1]['starts_at']:%Y-%m-%dT%H:%M:%SZ},{shown[-1]['id']}"
        link = f"http://{host}/api/appointments/?cursor={last}"
    return {"next": link, "previous": None, "results": shown}


def one_appointment(environ, pk):
    caller = Caller(environ)
    statement = APPOINTMENTS.format(own_rows=OWN_ROWS[caller.role], chosen="AND id = %s")
    rows = query(statement, caller.pk, int(pk))
    if not rows:
        raise Refused(404, "not_found")
    return 200, success(appointment(rows[0], caller.role))


def appointment(row, role):
    (pk, patient, patient_name, doctor, doctor_name, specialization, time_slot, starts_at, ends_at,
     status, consultation_type, priority, reason_for_visit, symptoms, contact_phone, patient_notes,
     doctor_notes, booked_by, created_at, updated_at) = row  # fmt: skip
    shown = {
        "id": pk,
        "patient": patient,
        "patient_name": patient_name,
        "doctor": doctor,
        "doctor_name": doctor_name,
        "doctor_specialization": specialization,
        "time_slot": time_slot,
        "date": starts_at.date(),
        "start_time": starts_at.time(),
        "end_time": ends_at.time(),
        "starts_at": starts_at,
        "ends_at": ends_at,
        "status": status,
        "consultation_type": consultation_type,
        "priority": priority,
        "reason_for_visit": reason_for_visit,
        "symptoms": symptoms,
        "contact_phone": contact_phone,
        "patient_notes": patient_notes,
        "doctor_notes": doctor_notes,
        "allowed": allowed(status, starts_at, role),
        "booked_by": booked_by,
        "created_at": created_at,
        "updated_at": updated_at,
    }
    if role == "patient":
        del shown["doctor_notes"]
    return shown


def slots(environ):
    """Answers with the slots of a doctor and week that a patient can book."""
    Caller(environ)
    asked = dict(parse_qsl(environ["QUERY_STRING"]))
    chosen, page = (
        (asked["doctor"], asked["date_after"], asked["date_before"]),
        asked.get("page", 1),
    )
    [(count,)] = query(f"SELECT count(*) FROM {FREE}", *chosen)  # noqa: S608
    shown = [
        {
            "id": pk,
            "doctor": doctor,
            "doctor_name": name,
            "doctor_specialization": specialization,
            "date": starts_at.date(),
            "start_time": starts_at.time(),
            "end_time": ends_at.time(),
            "starts_at": starts_at,
            "ends_at": ends_at,
            "duration_minutes": (ends_at - starts_at).seconds // 60,
            "is_available": True,
        }
        for pk, doctor, name, specialization, starts_at, ends_at in query(
            SLOTS, *chosen, (int(page) - 1) * PAGE_SIZE
        )
    ]
    return 200, success(page_of(environ, asked, int(page), count, shown))


def page_of(environ, asked, page, count, results):
    return paged(
        host=environ["HTTP_HOST"],
        path=environ["PATH_INFO"],
        query=asked,
        page=page,
        count=count,
        results=results,
    )


def own_profile(environ):
    caller = Caller(environ, PROFILE)
    return 200, success(profile(dict(zip(PROFILE, caller.row, strict=True))))


def book(environ):
    caller = Caller(environ)
    body = orjson.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    if not (isinstance(body.get("time_slot"), int) and body.get("reason_for_visit")):
        raise Refused(400, "validation_error")
    try:
        shown = booked(environ, caller, body)
        if key := environ.get("HTTP_IDEMPOTENCY_KEY"):
            mark = fingerprint("POST", environ["PATH_INFO"], body)
            thread.cursor.execute(CLAIM_KEY, (caller.pk, key, mark, str(shown["id"])))
        thread.cursor.execute("COMMIT")
    except BaseException:
        thread.cursor.execute("ROLLBACK")
        raise
    return 201, success(shown, BOOKED)


def booked(environ, caller, body):
    patient = caller.pk if caller.role == "patient" else int(body["patient"])
    [(is_active, patient_name)] = query(LOCK_PATIENT, patient) or [(False, "")]
    rows = query(LOCK_SLOT, body["time_slot"])
    if not (is_active and rows):
        raise Refused(400, "validation_error")
    [(doctor, doctor_name, specialization, starts_at, ends_at, is_offered)] = rows
    if not is_offered or (caller.role == "doctor" and caller.pk != doctor):
        raise Refused(400, "validation_error")
    if starts_at <= now():
        raise Refused(400, "slot_in_past")
    if held := query(HELD, body["time_slot"], patient, ends_at, starts_at):
        taken = (body["time_slot"],) in held
        raise Refused(409, "slot_taken" if taken else "patient_overlap")
    visit = DETAILS | body | {
        "patient": patient,
        "doctor": doctor,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "by": caller.pk,
        "now": now(),
    }  # fmt: skip
    about = {
        "role": caller.role,
        "session": caller.session,
        "request_id": uuid4().hex,
        "address": environ["REMOTE_ADDR"],
    }
    [(pk,)] = query(BOOK, visit | about)
    row = (pk, patient, patient_name, doctor, doctor_name, specialization, body["time_slot"],
           starts_at, ends_at, "scheduled", *(visit[name] for name in (
               "consultation_type", "priority", "reason_for_visit", "symptoms", "contact_phone",
               "patient_notes", "doctor_notes")),
           caller.pk, visit["now"], visit["now"])  # fmt: skip
    return appointment(row, caller.role)


ROUTES = [
    ("GET", re.compile("/api/appointments/"), appointments),
    ("POST", re.compile("/api/appointments/"), book),
    ("GET", re.compile("/api/appointments/([0-9]+)/"), one_appointment),
    ("GET", re.compile("/api/time-slots/"), slots),
    ("GET", re.compile("/api/auth/profile/"), own_profile),
]


def application(environ, start_response):
    status, body = 404, {"status": "error", "code": "not_found"}
    for method, path, view in ROUTES:
        found = path.fullmatch(environ["PATH_INFO"])
        if found and method == environ["REQUEST_METHOD"]:
            try:
                status, body = view(environ, *found.groups())
            except Refused as refusal:
                status, body = refusal.status, refusal.body
            break
    content = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [content]
