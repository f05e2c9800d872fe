"""The product's answers as FastAPI, Pydantic and SQLAlchemy would give them, written as one would:
declared models and shapes, joined loading, synchronous views, a pool of connections.

    uvicorn yardstick:app
"""

import os
from contextlib import asynccontextmanager
from datetime import date, datetime, time, timedelta
from typing import Annotated, Generic, TypeVar
from uuid import UUID, uuid4

from contract import (
    BOOKED,
    PAGE_SIZE,
    Refused,
    allowed,
    check_session,
    claims_of,
    fingerprint,
    now,
    paged,
    success,
)
from fastapi import Depends, FastAPI, Header, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ForeignKey, create_engine, exists, func, or_, select, true
from sqlalchemy.ext.declarative import DeferredReflection
from sqlalchemy.orm import (
    DeclarativeBase,
    Session,
    contains_eager,
    joinedload,
    mapped_column,
    relationship,
    sessionmaker,
)

ADDRESS = os.environ["DATABASE_URL"].replace("postgres://", "postgresql+psycopg2://", 1)
engine = create_engine(ADDRESS, pool_size=8, connect_args={"options": "-c timezone=UTC"})
Sessions = sessionmaker(engine, expire_on_commit=False)


# --- Tables; their other columns are read from the database ------------------------------------


class Base(DeferredReflection, DeclarativeBase):
    pass


class Timed:
    @property
    def date(self):
        return self.starts_at.date()

    @property
    def start_time(self):
        return self.starts_at.time()

    @property
    def end_time(self):
        return self.ends_at.time()

    @property
    def duration_minutes(self):
        return (self.ends_at - self.starts_at).seconds // 60

    @property
    def doctor_name(self):
        return self.doctor.full_name

    @property
    def doctor_specialization(self):
        return self.doctor.specialization


class User(Base):
    __tablename__ = "accounts_user"

    @property
    def full_name(self):
        return f"{self.first_name} {self.last_name}".strip() or self.username


class SignIn(Base):
    __tablename__ = "accounts_session"
    user = relationship(User)


class TimeSlot(Timed, Base):
    __tablename__ = "appointments_timeslot"
    doctor = relationship(User)
    is_available = True  # the list shows no others


class Appointment(Timed, Base):
    __tablename__ = "appointments_appointment"
    patient_id = mapped_column(ForeignKey("accounts_user.id"))
    doctor_id = mapped_column(ForeignKey("accounts_user.id"))
    patient = relationship(User, foreign_keys=[patient_id])
    doctor = relationship(User, foreign_keys=[doctor_id])

    @property
    def patient_name(self):
        return self.patient.full_name


class History(Base):
    __tablename__ = "appointments_appointmenthistory"


class AuditEvent(Base):
    __tablename__ = "accounts_auditevent"


class IdempotencyKey(Base):
    __tablename__ = "accounts_idempotencykey"


# --- Shapes ------------------------------------------------------------------------------------


class Shown(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class SlotOut(Shown):
    id: int
    doctor: int = Field(validation_alias="doctor_id")
    doctor_name: str
    doctor_specialization: str
    date: date
    start_time: time
    end_time: time
    starts_at: datetime
    ends_at: datetime
    duration_minutes: int
    is_available: bool


class AppointmentOut(Shown):
    id: int
    patient: int = Field(validation_alias="patient_id")
    patient_name: str
    doctor: int = Field(validation_alias="doctor_id")
    doctor_name: str
    doctor_specialization: str
    time_slot: int = Field(validation_alias="time_slot_id")
    date: date
    start_time: time
    end_time: time
    starts_at: datetime
    ends_at: datetime
    status: str
    consultation_type: str
    priority: str
    reason_for_visit: str
    symptoms: str
    contact_phone: str
    patient_notes: str
    allowed: list[str]
    booked_by: int = Field(validation_alias="booked_by_id")
    created_at: datetime
    updated_at: datetime


class AppointmentOfStaffOut(AppointmentOut):
    doctor_notes: str


class PersonOut(Shown):
    id: int
    username: str
    email: str
    first_name: str
    last_name: str
    full_name: str
    user_type: str
    phone: str
    date_of_birth: date | None
    gender: str
    address: str
    avatar: str | None
    created_at: datetime
    updated_at: datetime


class DoctorOut(PersonOut):
    medical_license_number: str
    specialization: str
    license_verified: bool


class PatientOut(PersonOut):
    medical_history: str
    allergies: str
    emergency_contact: str
    emergency_contact_phone: str
    emergency_contact_relation: str


APPOINTMENTS = {"patient": AppointmentOut}  # everybody else: AppointmentOfStaffOut
PEOPLE = {"patient": PatientOut, "doctor": DoctorOut, "admin": PersonOut}

Row, Data = TypeVar("Row"), TypeVar("Data")


class Page(BaseModel, Generic[Row]):
    count: int
    next: str | None
    previous: str | None
    results: list[Row]


class Envelope(BaseModel, Generic[Data]):
    status: str
    data: Data
    message: str


class Week(BaseModel):
    doctor: int
    date_after: date
    date_before: date
    page: int = 1


class Booking(BaseModel):
    model_config = ConfigDict(extra="forbid")

    time_slot: int
    patient: int | None = None
    consultation_type: str = "general"
    priority: str = "medium"
    reason_for_visit: str = Field(min_length=1)
    symptoms: str = ""
    contact_phone: str = ""
    patient_notes: str = ""
    doctor_notes: str = ""


# --- Doors -------------------------------------------------------------------------------------


@asynccontextmanager
async def lifespan(app):
    Base.prepare(engine)
    yield


app = FastAPI(lifespan=lifespan)


@app.exception_handler(Refused)
def refused(request, refusal):
    return JSONResponse(refusal.body, refusal.status)


def database():
    with Sessions() as session:
        yield session


Database = Annotated[Session, Depends(database)]


class Caller:
    def __init__(self, db: Database, authorization: Annotated[str, Header()] = ""):
        self.session, user = claims_of(authorization)
        found = select(SignIn).options(joinedload(SignIn.user))
        sign_in = db.scalar(
            found.where(SignIn.id == UUID(self.session), SignIn.user_id == int(user))
        )
        if sign_in is None:
            raise Refused(401, "token_invalid")
        self.user = person = sign_in.user
        check_session(
            sign_in.ended_at,
            sign_in.expires_at,
            person.is_active,
            person.user_type,
            person.license_verified,
        )
        self.pk, self.role = person.id, person.user_type

    @property
    def own(self):
        """The condition on the appointments in the caller's sight."""
        owner = {"patient": Appointment.patient_id, "doctor": Appointment.doctor_id}.get(self.role)
        return true() if owner is None else owner == self.pk

    def shown(self, visit):
        visit.allowed = allowed(visit.status, visit.starts_at, self.role)
        return visit

    @property
    def shape(self):
        return APPOINTMENTS.get(self.role, AppointmentOfStaffOut)


SignedIn = Annotated[Caller, Depends()]


def answer(shape, body, status=200):
    content = Envelope[shape].model_validate(body, from_attributes=True).model_dump_json()
    return Response(content, status, media_type="application/json")


def a_page(db, request, rows, counting, shown=lambda row: row):
    page = int(request.query_params.get("page", 1))
    count = db.scalar(counting)
    found = db.scalars(rows.limit(PAGE_SIZE).offset((page - 1) * PAGE_SIZE))
    return success(
        paged(
            host=request.headers["host"],
            path=request.url.path,
            query=dict(request.query_params),
            page=page,
            count=count,
            results=[shown(row) for row in found],
        )
    )


def with_people():
    rows = select(Appointment)
    return rows.options(joinedload(Appointment.patient), joinedload(Appointment.doctor))


@app.get("/api/appointments/")
def appointments(db: Database, caller: SignedIn, request: Request):
    newest = Appointment.starts_at.desc(), Appointment.id.desc()
    rows = with_people().where(caller.own).order_by(*newest)
    counting = select(func.count()).select_from(Appointment).where(caller.own)
    return answer(Page[caller.shape], a_page(db, request, rows, counting, caller.shown))


@app.get("/api/appointments/{pk}/")
def one_appointment(db: Database, caller: SignedIn, pk: int):
    visit = db.scalar(with_people().where(caller.own, Appointment.id == pk))
    if visit is None:
        raise Refused(404, "not_found")
    return answer(caller.shape, success(caller.shown(visit)))


@app.get("/api/time-slots/")
def slots(db: Database, caller: SignedIn, request: Request, week: Annotated[Week, Query()]):
    held = exists().where(
        Appointment.time_slot_id == TimeSlot.id, Appointment.status != "cancelled"
    )
    free = (
        TimeSlot.doctor_id == week.doctor,
        TimeSlot.starts_at >= week.date_after,
        TimeSlot.starts_at < week.date_before + timedelta(days=1),
        TimeSlot.starts_at > now(),
        TimeSlot.withdrawn_at.is_(None),
        User.is_active,
        User.license_verified,
        ~held,
    )
    rows = select(TimeSlot).join(TimeSlot.doctor).options(contains_eager(TimeSlot.doctor))
    rows = rows.where(*free).order_by(TimeSlot.starts_at, TimeSlot.id)
    counting = select(func.count()).select_from(TimeSlot).join(TimeSlot.doctor).where(*free)
    return answer(Page[SlotOut], a_page(db, request, rows, counting))


@app.get("/api/auth/profile/")
def own_profile(caller: SignedIn):
    return answer(PEOPLE[caller.role], success(caller.user))


@app.post("/api/appointments/")
def book(
    db: Database,
    caller: SignedIn,
    request: Request,
    body: Booking,
    idempotency_key: Annotated[str | None, Header()] = None,
):
    patient_id = caller.pk if caller.role == "patient" else body.patient
    patient = _locked(db, select(User).where(User.id == patient_id, User.user_type == "patient"))
    slot = _locked(
        db,
        select(TimeSlot)
        .join(TimeSlot.doctor)
        .options(contains_eager(TimeSlot.doctor))
        .where(TimeSlot.id == body.time_slot),
        of=TimeSlot,
    )
    doctor = slot.doctor
    is_offered = slot.withdrawn_at is None and doctor.is_active and doctor.license_verified
    if not (is_offered and patient.is_active and caller.pk in (patient.id, doctor.id)):
        raise Refused(400, "validation_error")
    if slot.starts_at <= now():
        raise Refused(400, "slot_in_past")
    _refuse_what_is_held(db, slot, patient)
    visit = _write(db, caller, address=request.client.host, body=body, patient=patient, slot=slot)
    if idempotency_key:
        said = body.model_dump(exclude_unset=True)
        db.add(
            IdempotencyKey(
                user_id=caller.pk,
                key=idempotency_key,
                fingerprint=fingerprint("POST", request.url.path, said),
                made=visit.id,
                status_code=201,
                created_at=now(),
            )
        )
    db.commit()
    return answer(caller.shape, success(caller.shown(visit), BOOKED), 201)


def _locked(db, rows, of=None):
    row = db.scalar(
        rows.with_for_update(key_share=True, of=of).execution_options(populate_existing=True)
    )
    if row is None:
        raise Refused(400, "validation_error")
    return row


def _refuse_what_is_held(db, slot, patient):
    held = select(Appointment.time_slot_id).where(
        Appointment.status != "cancelled",
        or_(
            Appointment.time_slot_id == slot.id,
            (Appointment.patient_id == patient.id)
            & (Appointment.starts_at < slot.ends_at)
            & (Appointment.ends_at > slot.starts_at),
        ),
    )
    if found := db.scalars(held).all():
        raise Refused(409, "slot_taken" if slot.id in found else "patient_overlap")


def _write(db, caller, *, address, body, patient, slot):
    moment = now()
    visit = Appointment(
        **body.model_dump(exclude={"patient", "time_slot"}),
        patient=patient,
        doctor=slot.doctor,
        time_slot_id=slot.id,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        status="scheduled",
        booked_by_id=caller.pk,
        version=1,
        created_at=moment,
        updated_at=moment,
    )
    db.add(visit)
    db.flush()
    db.add(
        History(
            appointment_id=visit.id,
            action="book",
            from_status="",
            to_status="scheduled",
            to_starts_at=slot.starts_at,
            changes=[],
            reason="",
            changed_by_id=caller.pk,
            created_at=moment,
        )
    )
    db.add(
        AuditEvent(
            at=moment,
            actor=caller.pk,
            role=caller.role,
            session=caller.session,
            action="C",
            event="appointment.book",
            records=[f"appointment/{visit.id}"],
            patients=[patient.id],
            changed=[],
            outcome="success",
            request_id=uuid4().hex,
            address=address,
        )
    )
    return visit
