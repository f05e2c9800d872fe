"""The Pydantic models of requests and answers."""

from datetime import date, datetime, time
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field


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


APPOINTMENTS = {"patient": AppointmentOut}  # other roles: AppointmentOfStaffOut
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
