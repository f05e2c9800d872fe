"""The JSON objects of appointments, slots and doctors, each made in one function.

A row of a prepared query and a model instance give the same object: the fields of a row are named
as for `values_list`, and `row_of` reads them from an instance.
"""

from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from accounts.models.names import full_name_of
from accounts.output import avatar_url
from appointments import clock
from appointments.models import Appointment
from appointments.move_rules import Present, open_moves
from config.db.querysets import hidden_fields


class AppointmentRow(NamedTuple):
    id: int
    version: int
    patient_id: int
    patient__first_name: str
    patient__last_name: str
    patient__username: str
    doctor_id: int
    doctor__first_name: str
    doctor__last_name: str
    doctor__username: str
    doctor__specialization: str
    time_slot_id: int
    starts_at: datetime
    ends_at: datetime
    status: str
    previous_status: str
    status_changed_at: datetime | None
    consultation_stage: str
    consultation_type: str
    priority: str
    reason_for_visit: str
    symptoms: str
    contact_phone: str
    patient_notes: str
    doctor_notes: str
    booked_by_id: int
    consultation_pk: int | None
    created_at: datetime
    updated_at: datetime


class TimeSlotRow(NamedTuple):
    id: int
    doctor_id: int
    doctor__first_name: str
    doctor__last_name: str
    doctor__username: str
    doctor__specialization: str
    starts_at: datetime
    ends_at: datetime
    is_available: bool


class DoctorRow(NamedTuple):
    id: int
    first_name: str
    last_name: str
    username: str
    specialization: str
    avatar: str
    next_available: datetime | None


def row_of(row_class):
    """Return a function that reads a row of the class from a model instance."""
    values = attrgetter(*(name.replace("__", ".") for name in row_class._fields))

    def read(instance):
        return row_class._make(values(instance))

    return read


def appointment_output(role):
    """Return a function of an AppointmentRow, for what a role sees now."""
    zone, present = clock.zone(), Present.at(clock.now())
    hidden = hidden_fields(Appointment, role)

    def output(row):
        starts_at, ends_at = row.starts_at.astimezone(zone), row.ends_at.astimezone(zone)
        data = {
            "id": row.id,
            "patient": row.patient_id,
            "patient_name": full_name_of(
                row.patient__first_name, row.patient__last_name, row.patient__username
            ),
            "doctor": row.doctor_id,
            "doctor_name": full_name_of(
                row.doctor__first_name, row.doctor__last_name, row.doctor__username
            ),
            "doctor_specialization": row.doctor__specialization,
            "time_slot": row.time_slot_id,
            "date": starts_at.date(),
            "start_time": starts_at.time(),
            "end_time": ends_at.time(),
            "starts_at": starts_at,
            "ends_at": ends_at,
            "status": row.status,
            "consultation_type": row.consultation_type,
            "priority": row.priority,
            "reason_for_visit": row.reason_for_visit,
            "symptoms": row.symptoms,
            "contact_phone": row.contact_phone,
            "patient_notes": row.patient_notes,
            "doctor_notes": row.doctor_notes,
            "allowed": open_moves(row, role=role, present=present),
            "booked_by": row.booked_by_id,
            "consultation": row.consultation_pk,
            "created_at": row.created_at.astimezone(zone),
            "updated_at": row.updated_at.astimezone(zone),
        }
        for name in hidden:
            del data[name]
        return data

    return output


def time_slot_output(row):
    zone = clock.zone()
    starts_at, ends_at = row.starts_at.astimezone(zone), row.ends_at.astimezone(zone)
    return {
        "id": row.id,
        "doctor": row.doctor_id,
        "doctor_name": full_name_of(
            row.doctor__first_name, row.doctor__last_name, row.doctor__username
        ),
        "doctor_specialization": row.doctor__specialization,
        "date": starts_at.date(),
        "start_time": starts_at.time(),
        "end_time": ends_at.time(),
        "starts_at": starts_at,
        "ends_at": ends_at,
        "duration_minutes": int((row.ends_at - row.starts_at).total_seconds() // 60),
        "is_available": row.is_available,
    }


def doctor_output(request):
    """Return a function of a DoctorRow; the request makes the avatar's address absolute."""
    zone = clock.zone()

    def output(row):
        return {
            "id": row.id,
            "full_name": full_name_of(row.first_name, row.last_name, row.username),
            "specialization": row.specialization,
            "avatar": avatar_url(row.avatar, request),
            "next_available": row.next_available and row.next_available.astimezone(zone),
        }

    return output
