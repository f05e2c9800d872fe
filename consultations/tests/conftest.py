"""People of these tests, a frozen time, and an appointment with its consultation."""

import pytest

from accounts.tests.factories import AdminFactory, DoctorFactory, UnverifiedDoctorFactory
from appointments import clock
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import clinic_time
from consultations.tests.factories import make_consultation
from patients.tests.factories import PatientFactory


@pytest.fixture
def wednesday():
    """Freezes the clock at Wednesday, 2 December 2026, 10:00 local time of the clinic."""
    moment = clinic_time("2026-12-02 10:00")
    with clock.frozen_at(moment):
        yield moment


@pytest.fixture
def smith(db):
    """The doctor of `appointment` and `visit`."""
    return DoctorFactory(first_name="John", last_name="Smith")


@pytest.fixture
def meyer(db):
    """A doctor without a care relationship to Jane."""
    return DoctorFactory(first_name="Ruth", last_name="Meyer")


@pytest.fixture
def nils(db):
    """A doctor with an unverified licence."""
    return UnverifiedDoctorFactory(first_name="Nils", last_name="Neu")


@pytest.fixture
def jane(db):
    """A patient, allergic to penicillin."""
    return PatientFactory(first_name="Jane", last_name="Doe", allergies="Penicillin, peanuts")


@pytest.fixture
def omar(db):
    """Another patient."""
    return PatientFactory(first_name="Omar", last_name="Haddad")


@pytest.fixture
def ada(db):
    return AdminFactory(first_name="Ada", last_name="Admin")


@pytest.fixture
def appointment(smith, jane):
    """Jane's appointment with Dr. Smith, booked by Jane."""
    return make_appointment(patient=jane, doctor=smith)


@pytest.fixture
def visit(appointment):
    """The consultation of `appointment`, opened and not started."""
    return make_consultation(appointment=appointment)
