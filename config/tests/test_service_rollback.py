"""A service whose audit entry cannot be written leaves every table as before the call."""

from datetime import date, time

import pytest
from django.apps import apps

from accounts import licences, passwords
from accounts.audit import log
from accounts.models import Doctor
from accounts.tests.factories import PASSWORD, DoctorFactory
from appointments import services as appointments
from appointments import slot_services
from appointments.models import Appointment, TimeSlot
from appointments.tests.factories import TimeSlotFactory, make_appointment, on_the_day
from appointments.tests.helpers import all_rows
from consultations import services as consultations
from consultations.models import Prescription
from consultations.tests.factories import MEDICATION, make_consultation
from patients import emergency_access
from patients import services as patients
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db(transaction=True)

APPS = ["accounts", "patients", "appointments", "consultations"]
DAY, NINE, TEN = date(2027, 3, 1), time(9), time(10)


class AuditError(Exception):
    """Raised in place of writing an audit entry."""


SERVICES = {
    "appointments.book": lambda visit, doctor, patient: appointments.book(
        patient=patient, time_slot=TimeSlot.objects.get(appointments=None), by=doctor
    ),
    "appointments.move": lambda visit, doctor, patient: appointments.move(
        visit.appointment, "start", by=doctor
    ),
    "appointments.update": lambda visit, doctor, patient: appointments.update(
        visit.appointment, by=doctor, reason_for_visit="Another"
    ),
    "slot_services.open_slot": lambda visit, doctor, patient: slot_services.open_slot(
        doctor=doctor, date=DAY, start_time=NINE, end_time=TEN
    ),
    "consultations.open_walk_in": lambda visit, doctor, patient: consultations.open_walk_in(
        patient=patient, doctor=doctor, chief_complaint="A cut", by=doctor
    ),
    "consultations.start": lambda visit, doctor, patient: consultations.start(visit, by=doctor),
    "consultations.complete": lambda visit, doctor, patient: consultations.complete(
        visit, by=doctor
    ),
    "consultations.update_text": lambda visit, doctor, patient: consultations.update_text(
        visit, by=doctor, diagnosis="None"
    ),
    "consultations.prescribe": lambda visit, doctor, patient: consultations.prescribe(
        visit, by=doctor, **MEDICATION
    ),
    "consultations.set_active": lambda visit, doctor, patient: consultations.set_active(
        Prescription.objects.get(), by=doctor, is_active=False
    ),
    "consultations.record_vital_signs": lambda visit, doctor, patient: (
        consultations.record_vital_signs(visit, by=doctor, heart_rate=70)
    ),
    "consultations.open_for": lambda visit, doctor, patient: consultations.open_for(
        Appointment.objects.get(consultation=None), by=doctor
    ),
    "slot_services.change_slot": lambda visit, doctor, patient: slot_services.change_slot(
        TimeSlot.objects.get(appointments=None), date=DAY
    ),
    "slot_services.withdraw": lambda visit, doctor, patient: slot_services.withdraw(
        TimeSlot.objects.get(appointments=None)
    ),
    "consultations.add_note": lambda visit, doctor, patient: consultations.add_note(
        visit, by=doctor, note_type="general", content="A note"
    ),
    "patients.create_patient": lambda visit, doctor, patient: patients.create_patient(
        by=doctor, email="new@example.com", first_name="New", last_name="Patient"
    ),
    "patients.deactivate": lambda visit, doctor, patient: patients.deactivate(patient, by=doctor),
    "emergency_access.grant_emergency_access": lambda visit, doctor, patient: (
        emergency_access.grant_emergency_access(patient, by=doctor, reason="Found unconscious")
    ),
    "passwords.change_password": lambda visit, doctor, patient: passwords.change_password(
        doctor, old_password=PASSWORD, new_password="a longer passphrase"
    ),
    "licences.verify_licence": lambda visit, doctor, patient: licences.verify_licence(
        Doctor.objects.get(license_verified=False)
    ),
}


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_a_service_without_its_audit_entry_changes_nothing(service, monkeypatch):
    visit = make_consultation()
    consultations.prescribe(visit, by=visit.doctor, **MEDICATION)
    make_appointment()
    DoctorFactory(license_verified=False)
    TimeSlotFactory()
    patient = PatientFactory()
    models = [model for label in APPS for model in apps.get_app_config(label).get_models()]
    before = all_rows(*models)

    def fail(*args, **kwargs):
        raise AuditError

    monkeypatch.setattr(log, "record_change", fail)
    monkeypatch.setattr(log, "record_create", fail)
    with pytest.raises(AuditError), on_the_day(visit.appointment):
        service(visit, visit.doctor, patient)

    assert all_rows(*models) == before
