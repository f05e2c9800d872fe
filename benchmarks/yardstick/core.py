"""The list and the detail of appointments by SQLAlchemy Core, without ORM objects.

    uvicorn benchmarks.yardstick.core:app

The look-up of the session selects columns as well. app.py has all other calls.
"""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, Header, Request
from sqlalchemy import Connection, MetaData, func, select, true

from benchmarks.contract import PAGE_SIZE, Refused, allowed, check_session, claims_of, success
from benchmarks.yardstick.base import answer, engine, offset_of, page_of, refused
from benchmarks.yardstick.shapes import APPOINTMENTS, AppointmentOfStaffOut, Page

metadata = MetaData()
metadata.reflect(engine, only=["accounts_session", "accounts_user", "appointments_appointment"])
sessions = metadata.tables["accounts_session"]
users = metadata.tables["accounts_user"]
appointments = metadata.tables["appointments_appointment"]
patients, doctors = users.alias("patient"), users.alias("doctor")

SESSION = select(
    sessions.c.ended_at,
    sessions.c.expires_at,
    users.c.is_active,
    users.c.user_type,
    users.c.license_verified,
).join_from(sessions, users, sessions.c.user_id == users.c.id)
COLUMNS = (
    *("id", "patient_id", "doctor_id", "time_slot_id", "starts_at", "ends_at", "status"),
    *("consultation_type", "priority", "reason_for_visit", "symptoms", "contact_phone"),
    *("patient_notes", "doctor_notes", "booked_by_id", "created_at", "updated_at"),
)
NAMES = ("first_name", "last_name", "username")
APPOINTMENT = (
    select(
        *(appointments.c[name] for name in COLUMNS),
        *(patients.c[name].label(f"patient_{name}") for name in NAMES),
        *(doctors.c[name].label(f"doctor_{name}") for name in NAMES),
        doctors.c.specialization.label("doctor_specialization"),
    )
    .join_from(appointments, patients, appointments.c.patient_id == patients.c.id)
    .join(doctors, appointments.c.doctor_id == doctors.c.id)
)
COUNT = select(func.count()).select_from(appointments)
NEWEST = appointments.c.starts_at.desc(), appointments.c.id.desc()

app = FastAPI(exception_handlers={Refused: refused})


def connected():
    with engine.connect() as connection:
        yield connection


Database = Annotated[Connection, Depends(connected)]


class Caller:
    def __init__(self, db: Database, authorization: Annotated[str, Header()] = ""):
        session, user = claims_of(authorization)
        self.pk = int(user)
        row = db.execute(
            SESSION.where(sessions.c.id == UUID(session), sessions.c.user_id == self.pk)
        ).first()
        if row is None:
            raise Refused(401, "token_invalid")
        check_session(*row)
        self.role = row.user_type

    @property
    def own(self):
        """The condition on the appointments that the caller may see."""
        owner = {"patient": appointments.c.patient_id, "doctor": appointments.c.doctor_id}
        return owner[self.role] == self.pk if self.role in owner else true()

    @property
    def shape(self):
        return APPOINTMENTS.get(self.role, AppointmentOfStaffOut)

    def shown(self, row):
        return {
            **row._mapping,
            "patient_name": _name(
                row.patient_first_name, row.patient_last_name, row.patient_username
            ),
            "doctor_name": _name(row.doctor_first_name, row.doctor_last_name, row.doctor_username),
            "date": row.starts_at.date(),
            "start_time": row.starts_at.time(),
            "end_time": row.ends_at.time(),
            "allowed": allowed(row.status, row.starts_at, self.role),
        }


SignedIn = Annotated[Caller, Depends()]


def _name(first, last, username):
    return f"{first} {last}".strip() or username


@app.get("/api/appointments/")
def list_appointments(db: Database, caller: SignedIn, request: Request):
    count = db.scalar(COUNT.where(caller.own))
    rows = APPOINTMENT.where(caller.own).order_by(*NEWEST)
    found = db.execute(rows.limit(PAGE_SIZE).offset(offset_of(request)))
    return answer(Page[caller.shape], page_of(request, count, [caller.shown(row) for row in found]))


@app.get("/api/appointments/{pk}/")
def one_appointment(db: Database, caller: SignedIn, pk: int):
    row = db.execute(APPOINTMENT.where(caller.own, appointments.c.id == pk)).first()
    if row is None:
        raise Refused(404, "not_found")
    return answer(caller.shape, success(caller.shown(row)))
