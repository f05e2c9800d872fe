"""The cast of the tests that concern all apps: each a story in one line."""

from types import SimpleNamespace
from uuid import UUID

from accounts.tests.factories import AdminFactory, DoctorFactory, UnverifiedDoctorFactory
from appointments.tests.factories import TimeSlotFactory, make_appointment
from consultations.tests.factories import add_parts, make_consultation
from patients.services import grant_emergency_access
from patients.tests.factories import PatientFactory


def build_clinic():
    """Jane is seen by Dr. House; Paul by Dr. Grey; Dr. New is not verified; Ada is the admin."""
    clinic = SimpleNamespace(
        jane=PatientFactory(username="jane", first_name="Jane"),
        paul=PatientFactory(username="paul", first_name="Paul"),
        house=DoctorFactory(username="house", first_name="Gregory"),
        grey=DoctorFactory(username="grey", first_name="Meredith"),
        new=UnverifiedDoctorFactory(username="new"),
        ada=AdminFactory(username="ada"),
    )
    clinic.appointment = make_appointment(patient=clinic.jane, doctor=clinic.house)
    clinic.pauls = make_appointment(patient=clinic.paul, doctor=clinic.grey)
    clinic.consultation = add_parts(make_consultation(appointment=clinic.appointment, started=True))
    clinic.pauls_consultation = add_parts(make_consultation(appointment=clinic.pauls, started=True))
    clinic.emergency = grant_emergency_access(
        clinic.jane, by=clinic.house, reason="Unconscious, no papers"
    )
    clinic.free = TimeSlotFactory(doctor=clinic.house)
    clinic.greys_free = TimeSlotFactory(doctor=clinic.grey)
    clinic.news_free = TimeSlotFactory(doctor=clinic.new)
    return clinic


def address_of(door, clinic):
    """The door's address, at a record of Jane's that is there."""
    consultation = clinic.consultation
    records = {
        "/emergency-access/": clinic.emergency,
        "/appointments/": clinic.appointment,
        "/time-slots/": clinic.free,
        "/doctors/": clinic.house,
        "/patients/": clinic.jane,
        "/vital-signs/": consultation.vital_signs.first(),
        "/prescriptions/": consultation.prescriptions.first(),
        "/notes/": consultation.notes.first(),
        "/consultations/": consultation,
    }
    record = next((one for part, one in records.items() if part in door.address), clinic.jane)
    session = clinic.jane.sessions.first()
    return door.address.format(
        pk=record.pk,
        patient=clinic.jane.pk,
        consultation=consultation.pk,
        session=session.pk if session else UUID(int=1),
    )
