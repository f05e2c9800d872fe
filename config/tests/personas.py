"""The people of the tests, and a clinic with one record of each kind.

Every test can ask for a person by name. `clinic` has the people and records of two sides: Jane is
the patient of Dr. House, and Paul the patient of Dr. Grey.
"""

from datetime import date
from types import SimpleNamespace
from uuid import UUID

import pytest

from accounts.tests.factories import AdminFactory, DoctorFactory, UnverifiedDoctorFactory
from appointments import clock
from appointments.tests.factories import TimeSlotFactory, make_appointment
from appointments.tests.helpers import clinic_time
from config.clinical_records import clinical_records
from consultations.tests.factories import add_parts, make_consultation
from patients.emergency_access import grant_emergency_access
from patients.tests.factories import PatientFactory

PEOPLE = {
    # A patient whose record has something in every field but the picture.
    "jane": (
        PatientFactory,
        {
            "first_name": "Jane",
            "last_name": "Doe",
            "phone": "+49 30 1234567",
            "date_of_birth": date(1990, 4, 12),
            "gender": "female",
            "address": "1 Main Street, Springfield",
            "medical_history": "Asthma since childhood",
            "allergies": "Penicillin, peanuts",
            "emergency_contact": "Max Doe",
            "emergency_contact_phone": "+49 30 7654321",
            "emergency_contact_relation": "brother",
        },
    ),
    # Other patients.
    "omar": (
        PatientFactory,
        {
            "email": "omar@example.org",
            "first_name": "Omar",
            "last_name": "Haddad",
            "phone": "+49 89 555",
            "date_of_birth": date(1975, 1, 31),
            "gender": "male",
        },
    ),
    "paul": (PatientFactory, {"first_name": "Paul"}),
    # Doctors: Dr. Smith and Dr. House treat Jane, the others do not.
    "smith": (DoctorFactory, {"first_name": "John", "last_name": "Smith"}),
    "house": (DoctorFactory, {"first_name": "Gregory", "last_name": "House"}),
    "meyer": (
        DoctorFactory,
        {"first_name": "Ruth", "last_name": "Meyer", "specialization": "Dermatology"},
    ),
    "grey": (DoctorFactory, {"first_name": "Meredith", "last_name": "Grey"}),
    # Doctors whose licence nobody has verified yet.
    "nils": (UnverifiedDoctorFactory, {"first_name": "Nils", "last_name": "Neu"}),
    "new": (UnverifiedDoctorFactory, {}),
    # The administrator.
    "ada": (AdminFactory, {"first_name": "Ada", "last_name": "Admin"}),
}


def make_person(name, **changes):
    """The person of that name, whose username is the name."""
    factory, details = PEOPLE[name]
    return factory(**{"username": name} | details | changes)


def _fixture(person):
    @pytest.fixture(name=person)
    def make(db):
        return make_person(person)

    return make


jane, omar, paul = map(_fixture, ("jane", "omar", "paul"))
smith, house, meyer, grey, nils = map(_fixture, ("smith", "house", "meyer", "grey", "nils"))
ada = _fixture("ada")


@pytest.fixture
def admin_client(client, ada):
    """A browser in which Ada is signed in to the staff admin."""
    client.force_login(ada)
    return client


@pytest.fixture
def wednesday():
    """Freezes the clock at Wednesday, 2 December 2026, 10:00 local time of the clinic."""
    moment = clinic_time("2026-12-02 10:00")
    with clock.frozen_at(moment):
        yield moment


def build_clinic():
    """Jane is seen by Dr. House; Paul by Dr. Grey; Dr. New is not verified; Ada is the admin."""
    names = ("jane", "paul", "house", "grey", "new", "ada")
    clinic = SimpleNamespace(**{name: make_person(name) for name in names})
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


# {address of the list: record} of the clinical records below another one.
NESTED = {
    f"/api/{record.whole.route}/{{{record.part_of}}}/{record.route}/": record
    for record in clinical_records()
    if record.part_of and record.route
}


def address_of(endpoint, clinic):
    """The address of the endpoint, filled in with the ids of Jane's records."""
    records = {
        "/appointments/": clinic.appointment,
        "/time-slots/": clinic.free,
        "/doctors/": clinic.house,
        "/patients/": clinic.jane,
        "/consultations/": clinic.consultation,
    }
    nested = {
        f"/{record.route}/": record.of_patient(clinic.jane.pk).first() for record in NESTED.values()
    }
    record = next(
        (one for part, one in (nested | records).items() if part in endpoint.address), clinic.jane
    )
    session = clinic.jane.sessions.first()
    return endpoint.address.format(
        pk=record.pk,
        patient=clinic.jane.pk,
        consultation=clinic.consultation.pk,
        session=session.pk if session else UUID(int=1),
    )
