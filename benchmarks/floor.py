"""The least that Python can do: the product's answers from bare WSGI, psycopg2, PyJWT and orjson.

Who calls is asked as the product asks it, rows are scoped by role, and a booking takes the same
locks, makes the same checks and leaves the same rows. All else is left out; this is no product.

    gunicorn benchmarks.floor:application
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
    OF_ROLE,
    PAGE_SIZE,
    PERSON,
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

mine = local()

NAME = "COALESCE(NULLIF(TRIM({0}.first_name || ' ' || {0}.last_name), ''), {0}.username)"
PROFILE = list(dict.fromkeys([*PERSON, *OF_ROLE["doctor"], *OF_ROLE["patient"]]))

SESSION = """
SELECT s.ended_at, s.expires_at, u.is_active, u.user_type, u.license_verified{more}
FROM accounts_session s JOIN accounts_user u ON u.id = s.user_id
WHERE s.id = %s AND s.user_id = %s
"""
OF_CALLER = {"doctor": "doctor_id = %s", "patient": "patient_id = %s", "admin": "%s IS NOT NULL"}

APPOINTMENTS = f"""
SELECT a.id, a.patient_id, {NAME.format("p")}, a.doctor_id, {NAME.format("d")}, d.specialization,
    a.time_slot_id, a.starts_at, a.ends_at, a.status, a.consultation_type, a.priority,
    a.reason_for_visit, a.symptoms, a.contact_phone, a.patient_notes, a.doctor_notes,
    a.booked_by_id, a.created_at, a.updated_at
FROM (SELECT * FROM appointments_appointment WHERE {{of_caller}} {{chosen}}) a
JOIN accounts_user p ON p.id = a.patient_id JOIN accounts_user d ON d.id = a.doctor_id
ORDER BY a.starts_at DESC, a.id DESC
"""  # noqa: S608
NEWEST = "ORDER BY starts_at DESC, id DESC LIMIT 20"

FREE = """
appointments_timeslot s JOIN accounts_user d ON d.id = s.doctor_id
WHERE s.doctor_id = %s AND s.starts_at >= %s AND s.starts_at < %s::date + 1 AND s.starts_at > now()
    AND s.withdrawn_at IS NULL AND d.is_active AND d.license_verified AND NOT EXISTS (
        SELECT 1 FROM appointments_appointment a
        WHERE a.time_slot_id = s.id AND a.status <> 'cancelled'
        AND a.doctor_id = s.doctor_id AND a.starts_at >= date_trunc('month', now()))
"""
SLOTS = f"""
SELECT s.id, s.doctor_id, {NAME.format("d")}, d.specialization, s.starts_at, s.ends_at
FROM {FREE} ORDER BY s.starts_at, s.id LIMIT 20 OFFSET %s
"""  # noqa: S608

LOCK_PATIENT = f"""
BEGIN; SELECT is_active, {NAME.format("p")} FROM accounts_user p
WHERE id = %s AND user_type = 'patient' FOR NO KEY UPDATE
"""  # noqa: S608
LOCK_SLOT = f"""
SELECT s.doctor_id, {NAME.format("d")}, d.specialization, s.starts_at, s.ends_at,
    s.withdrawn_at IS NULL AND d.is_active AND d.license_verified
FROM appointments_timeslot s JOIN accounts_user d ON d.id = s.doctor_id
WHERE s.id = %s FOR NO KEY UPDATE OF s
"""  # noqa: S608
HELD = """
SELECT time_slot_id FROM appointments_appointment WHERE status <> 'cancelled'
AND (time_slot_id = %s OR (patient_id = %s AND starts_at < %s AND ends_at > %s))
"""
BOOK = """
WITH booked AS (
    INSERT INTO appointments_appointment (patient_id, doctor_id, time_slot_id, starts_at, ends_at,
        status, consultation_type, priority, reason_for_visit, symptoms, contact_phone,
        patient_notes, doctor_notes, booked_by_id, created_at, updated_at)
    VALUES (%(patient)s, %(doctor)s, %(time_slot)s, %(starts_at)s, %(ends_at)s,
        'scheduled', %(consultation_type)s, %(priority)s, %(reason_for_visit)s, %(symptoms)s,
        %(contact_phone)s, %(patient_notes)s, %(doctor_notes)s, %(by)s, %(now)s, %(now)s)
    RETURNING id
), entered AS (
    INSERT INTO appointments_appointmenthistory (appointment_id, action, from_status, to_status,
        to_starts_at, changes, reason, changed_by_id, created_at)
    SELECT id, 'book', '', 'scheduled', %(starts_at)s, '[]', '', %(by)s, %(now)s FROM booked
)
INSERT INTO accounts_auditevent (at, actor, role, session, action, event, records, patients,
    changed, outcome, request_id, address)
SELECT %(now)s, %(by)s, %(role)s, %(session)s, 'C', 'appointment.book',
    jsonb_build_array('appointment/' || id), jsonb_build_array(%(patient)s), '[]', 'success',
    %(request_id)s, %(address)s FROM booked
RETURNING (SELECT id FROM booked)
"""
CLAIM_KEY = """
INSERT INTO accounts_idempotencykey (user_id, key, fingerprint, made, status_code, created_at)
VALUES (%s, %s, %s, %s, 201, now())
"""
DETAILS = {  # what a body may say of a visit, and what it is otherwise
    "consultation_type": "general",
    "priority": "medium",
    "symptoms": "",
    "contact_phone": "",
    "patient_notes": "",
    "doctor_notes": "",
}


def query(statement, *values):
    """The rows, over a connection that each thread keeps."""
    if not hasattr(mine, "cursor"):
        connection = psycopg2.connect(os.environ["DATABASE_URL"], options="-c timezone=UTC")
        connection.autocommit = True
        mine.cursor = connection.cursor()
    mine.cursor.execute(statement, values[0] if isinstance(values[0], dict) else values)
    return mine.cursor.fetchall()


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
    scope = OF_CALLER[caller.role]
    if "cursor" in asked:
        return 200, success(keyset(caller, scope, environ["HTTP_HOST"], asked["cursor"]))
    page = int(asked.get("page", 1))
    counting = f"SELECT count(*) FROM appointments_appointment WHERE {scope}"  # noqa: S608
    [(count,)] = query(counting, caller.pk)
    statement = APPOINTMENTS.format(of_caller=scope, chosen=f"{NEWEST} OFFSET %s")
    rows = query(statement, caller.pk, (page - 1) * PAGE_SIZE)
    shown = [appointment(row, caller.role) for row in rows]
    return 200, success(a_page(environ, asked, page, count, shown))


def keyset(caller, scope, host, cursor):
    """A page after the row a cursor names, `starts_at,id`; nothing is counted."""
    after, values = "", ()
    if cursor:
        after, values = "AND (starts_at, id) < (%s::timestamptz, %s)", cursor.split(",")
    statement = APPOINTMENTS.format(of_caller=scope, chosen=f"{after} {NEWEST}")
    shown = [appointment(row, caller.role) for row in query(statement, caller.pk, *values)]
    link = None
    if len(shown) == PAGE_SIZE:
        last = f"{shown[-1]['starts_at']:%Y-%m-%dT%H:%M:%SZ},{shown[-1]['id']}"
        link = f"http://{host}/api/appointments/?cursor={last}"
    return {"next": link, "previous": None, "results": shown}


def one_appointment(environ, pk):
    caller = Caller(environ)
    statement = APPOINTMENTS.format(of_caller=OF_CALLER[caller.role], chosen="AND id = %s")
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
    """What a patient could book of a doctor's week."""
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
    return 200, success(a_page(environ, asked, int(page), count, shown))


def a_page(environ, asked, page, count, shown):
    return paged(
        host=environ["HTTP_HOST"],
        path=environ["PATH_INFO"],
        query=asked,
        page=page,
        count=count,
        results=shown,
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
            mine.cursor.execute(CLAIM_KEY, (caller.pk, key, mark, str(shown["id"])))
        mine.cursor.execute("COMMIT")
    except BaseException:
        mine.cursor.execute("ROLLBACK")
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


DOORS = [
    ("GET", re.compile("/api/appointments/"), appointments),
    ("POST", re.compile("/api/appointments/"), book),
    ("GET", re.compile("/api/appointments/([0-9]+)/"), one_appointment),
    ("GET", re.compile("/api/time-slots/"), slots),
    ("GET", re.compile("/api/auth/profile/"), own_profile),
]


def application(environ, start_response):
    status, body = 404, {"status": "error", "code": "not_found"}
    for method, address, door in DOORS:
        found = address.fullmatch(environ["PATH_INFO"])
        if found and method == environ["REQUEST_METHOD"]:
            try:
                status, body = door(environ, *found.groups())
            except Refused as refusal:
                status, body = refusal.status, refusal.body
            break
    content = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(content)))]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [content]
