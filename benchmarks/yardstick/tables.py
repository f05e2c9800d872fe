"""The ORM models; columns that are not declared here are reflected from the database."""

from sqlalchemy import ForeignKey
from sqlalchemy.ext.declarative import DeferredReflection
from sqlalchemy.orm import DeclarativeBase, mapped_column, relationship


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
    is_available = True  # the list contains only free slots


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
