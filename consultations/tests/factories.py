"""Factories of consultations and their parts, through the services."""

from django.utils.module_loading import import_string

from appointments.tests.factories import make_appointment, on_the_day
from config.api.serializers import example_body
from config.clinical_records import record_of
from consultations import services
from consultations.models import Consultation

MEDICATION = {
    "medication_name": "Ramipril",
    "dosage": "5 mg",
    "frequency": "once a day",
    "duration": "30 days",
}

CONSULTATION_TEXTS = {
    "chief_complaint": "Chest pain when climbing stairs",
    "history_of_present_illness": "For two weeks",
    "physical_examination": "Heart sounds normal",
    "assessment": "Probable hypertension",
    "diagnosis": "Essential hypertension",
    "treatment_plan": "Ramipril 5 mg",
    "follow_up_instructions": "Come back with the diary",
    "follow_up_date": "2026-12-21",
    "doctor_notes": "Seems anxious about work",
}


def make_consultation(*, appointment=None, started=False, completed=False, **appointment_details):
    """Opens the consultation of an appointment; starts and completes it on its day."""
    appointment = appointment or make_appointment(**appointment_details)
    doctor = appointment.doctor
    consultation = services.open_for(appointment, by=doctor)
    with on_the_day(appointment):
        if started:
            consultation = services.start(consultation, by=doctor)
        if completed:
            consultation = services.complete(consultation, by=doctor)
    return consultation


def add_parts(consultation):
    """Adds one row of each registered part, and a private note; returns the consultation."""
    doctor = consultation.doctor
    services.record_vital_signs(consultation, by=doctor, systolic_bp=120, diastolic_bp=80)
    services.prescribe(consultation, by=doctor, **MEDICATION)
    services.add_note(consultation, by=doctor, note_type="plan", content="Rest")
    services.add_note(
        consultation, by=doctor, note_type="general", content="Worried", is_private=True
    )
    for record in record_of(Consultation).parts:
        if not record.of_patient(consultation.patient_id).exists():
            add_example(record, consultation)
    return consultation


def add_example(record, consultation):
    """Adds a part to the consultation, with the values of the documented example."""
    viewset = import_string(record.viewset)
    serializer = viewset.serializer_class(data=example_body(viewset.serializer_class))
    serializer.is_valid(raise_exception=True)
    viewset.add(consultation, by=consultation.doctor, **serializer.validated_data)
