"""A visit of Jane at Dr. Smith's."""

import pytest

from appointments.tests.factories import make_appointment_of_today
from consultations.tests.factories import make_consultation


@pytest.fixture
def appointment(smith, jane):
    """Jane's appointment with Dr. Smith, booked by Jane. Its day has come."""
    return make_appointment_of_today(patient=jane, doctor=smith)


@pytest.fixture
def visit(appointment):
    """The consultation of `appointment`, opened and not started."""
    return make_consultation(appointment=appointment)
