"""People of these tests, and a frozen time."""

import pytest

from accounts.tests.factories import AdminFactory, DoctorFactory, UnverifiedDoctorFactory
from appointments import clock
from appointments.tests.helpers import clinic_time
from patients.tests.factories import PatientFactory


@pytest.fixture
def wednesday():
    """Freezes the clock at Wednesday, 2 December 2026, 10:00 local time of the clinic."""
    moment = clinic_time("2026-12-02 10:00")
    with clock.frozen_at(moment):
        yield moment


@pytest.fixture
def smith(db):
    """A cardiologist."""
    return DoctorFactory(first_name="John", last_name="Smith")


@pytest.fixture
def meyer(db):
    """A dermatologist."""
    return DoctorFactory(first_name="Ruth", last_name="Meyer", specialization="Dermatology")


@pytest.fixture
def nils(db):
    """A doctor with an unverified licence."""
    return UnverifiedDoctorFactory(first_name="Nils", last_name="Neu")


@pytest.fixture
def jane(db):
    return PatientFactory(first_name="Jane", last_name="Doe")


@pytest.fixture
def omar(db):
    """Another patient."""
    return PatientFactory(first_name="Omar", last_name="Haddad")


@pytest.fixture
def ada(db):
    return AdminFactory(first_name="Ada", last_name="Admin")
