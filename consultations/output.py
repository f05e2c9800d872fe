"""The JSON object of a consultation. A row of a prepared query and an instance give the same."""

from datetime import date, datetime
from typing import NamedTuple

from accounts.models import NAME_FIELDS
from accounts.models.names import full_name_of
from appointments import clock
from config.db.querysets import hidden_fields
from consultations.models import Consultation, duration_of, status_of


class ConsultationRow(NamedTuple):
    id: int
    version: int
    appointment_id: int | None
    appointment__status: str | None
    patient_id: int
    patient__first_name: str
    patient__last_name: str
    patient__username: str
    doctor_id: int
    doctor__first_name: str
    doctor__last_name: str
    doctor__username: str
    started_at: datetime | None
    ended_at: datetime | None
    chief_complaint: str
    history_of_present_illness: str
    physical_examination: str
    assessment: str
    diagnosis: str
    treatment_plan: str
    follow_up_instructions: str
    follow_up_date: date | None
    doctor_notes: str
    created_at: datetime
    updated_at: datetime


def consultation_output(role):
    """Return a function of a ConsultationRow, for what a role sees."""
    zone = clock.zone()
    hidden = hidden_fields(Consultation, role)

    def output(row):
        data = {
            "id": row.id,
            "appointment": row.appointment_id,
            "patient": row.patient_id,
            "patient_name": full_name_of(
                row.patient__first_name, row.patient__last_name, row.patient__username
            ),
            "doctor": row.doctor_id,
            "doctor_name": full_name_of(
                row.doctor__first_name, row.doctor__last_name, row.doctor__username
            ),
            "status": status_of(row.started_at, row.ended_at, row.appointment__status),
            "started_at": row.started_at and row.started_at.astimezone(zone),
            "ended_at": row.ended_at and row.ended_at.astimezone(zone),
            "duration_minutes": duration_of(row.started_at, row.ended_at),
            "chief_complaint": row.chief_complaint,
            "history_of_present_illness": row.history_of_present_illness,
            "physical_examination": row.physical_examination,
            "assessment": row.assessment,
            "diagnosis": row.diagnosis,
            "treatment_plan": row.treatment_plan,
            "follow_up_instructions": row.follow_up_instructions,
            "follow_up_date": row.follow_up_date,
            "doctor_notes": row.doctor_notes,
            "created_at": row.created_at.astimezone(zone),
            "updated_at": row.updated_at.astimezone(zone),
        }
        for name in hidden:
            del data[name]
        return data

    return output


def read_consultation(consultation):
    """Return the ConsultationRow of an instance."""
    appointment, patient, doctor = (
        consultation.appointment,
        consultation.patient,
        consultation.doctor,
    )
    joined = {
        "appointment__status": appointment and appointment.status,
        **{f"patient__{name}": getattr(patient, name) for name in NAME_FIELDS},
        **{f"doctor__{name}": getattr(doctor, name) for name in NAME_FIELDS},
    }
    return ConsultationRow(
        *(
            joined[name] if name in joined else getattr(consultation, name)
            for name in ConsultationRow._fields
        )
    )
