from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Depends, FastAPI, Header, Query, Request
from sqlalchemy import exists, func, or_, select, true
from sqlalchemy.orm import Session, contains_eager, joinedload, sessionmaker

from benchmarks.contract import (
    BOOKED,
    PAGE_SIZE,
    Refused,
    allowed,
    check_session,
    claims_of,
    fingerprint,
    now,
    success,
)
from benchmarks.yardstick.base import answer, engine, offset_of, page_of, refused
from benchmarks.yardstick.shapes import (
    APPOINTMENTS,
    PEOPLE,
    AppointmentOfStaffOut,
    Booking,
    Page,
    SlotOut,
    Week,
)
from benchmarks.yardstick.tables import (
    Appointment,
    AuditEvent,
    Base,
    History,
    IdempotencyKey,
    SignIn,
    TimeSlot,
    User,
)

Sessions = sessionmaker(engine, expire_on_commit=False)


@asynccontextmanager
async def lifespan(app):
    Base.prepare(engine)
    yield


app = FastAPI(lifespan=lifespan, exception_handlers={Refused: refused})


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
        """The condition on the appointments that the caller may see."""
        owner = {"patient": Appointment.patient_id, "doctor": Appointment.doctor_id}.get(self.role)
        return true() if owner is None else owner == self.pk

    def shown(self, visit):
        visit.allowed = allowed(visit.status, visit.starts_at, self.role)
        return visit

    @property
    def shape(self):
        return APPOINTMENTS.get(self.role, AppointmentOfStaffOut)


SignedIn = Annotated[Caller, Depends()]


def a_page(db, request, rows, counting, shown=lambda row: row):
    count = db.scalar(counting)
    found = db.scalars(rows.limit(PAGE_SIZE).offset(offset_of(request)))
    return page_of(request, count, [shown(row) for row in found])


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
        Appointment.time_slot_id == TimeSlot.id,
        Appointment.status != "cancelled",
        Appointment.doctor_id == TimeSlot.doctor_id,
        Appointment.starts_at >= func.date_trunc("month", func.now()),
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
    may_book = caller.role == "admin" or caller.pk in {patient.id, doctor.id}
    if not (is_offered and patient.is_active and may_book):
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
