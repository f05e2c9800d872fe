"""People of these tests."""

from datetime import date

import pytest

from accounts.tests.factories import AdminFactory, DoctorFactory, UnverifiedDoctorFactory
from patients.tests.factories import PatientFactory


@pytest.fixture
def smith(db):
    return DoctorFactory(first_name="John", last_name="Smith")


@pytest.fixture
def nils(db):
    """A doctor with an unverified licence."""
    return UnverifiedDoctorFactory(first_name="Nils", last_name="Neu")


@pytest.fixture
def ada(db):
    return AdminFactory(first_name="Ada", last_name="Admin")


@pytest.fixture
def jane(db):
    """A patient with a value in every field except the avatar."""
    return PatientFactory(
        username="jane",
        email="jane@example.com",
        first_name="Jane",
        last_name="Doe",
        phone="+49 30 1234567",
        date_of_birth=date(1990, 4, 12),
        gender="female",
        address="1 Main Street, Springfield",
        medical_history="Asthma since childhood",
        allergies="Penicillin, peanuts",
        emergency_contact="Max Doe",
        emergency_contact_phone="+49 30 7654321",
        emergency_contact_relation="brother",
    )


@pytest.fixture
def omar(db):
    """Another patient."""
    return PatientFactory(
        username="omar",
        email="omar@example.org",
        first_name="Omar",
        last_name="Haddad",
        phone="+49 89 555",
        date_of_birth=date(1975, 1, 31),
        gender="male",
    )
