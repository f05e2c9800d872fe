"""The clinic of benchmarks/dataset satisfies the rules of the platform."""

import pytest
from django.db import connection

from accounts.models import AuditEvent, Doctor, User
from appointments.lifecycle import MOVES
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from benchmarks.dataset import fill
from consultations.models import Consultation, Prescription, VitalSigns

SCALE = 0.002

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="COPY needs PostgreSQL."),
    pytest.mark.django_db(transaction=True),
]


@pytest.mark.parametrize(("asked", "doctors"), [(None, 2), (20, 20)])
def test_the_made_clinic_has_the_planned_size_and_valid_rows(asked, doctors):
    fill(SCALE, asked)

    assert [model.objects.count() for model in (Doctor, User, TimeSlot, Appointment)] == [
        doctors,
        doctors + 40,
        1000,
        600,
    ]
    assert Consultation.objects.count() == VitalSigns.objects.count() == 120
    assert AuditEvent.objects.count() == AppointmentHistory.objects.count()
    for model in (User, Appointment, Consultation, VitalSigns, Prescription):
        for row in model.objects.order_by("pk")[:40]:
            row.full_clean()
    for entry in AppointmentHistory.objects.exclude(action="book").select_related("appointment"):
        assert MOVES[entry.action].target == entry.to_status == entry.appointment.status


def test_sequences_continue_after_the_made_rows():
    fill(SCALE)

    assert (
        TimeSlot.objects.create(
            doctor_id=1, starts_at="2099-01-01T08:00Z", ends_at="2099-01-01T08:20Z"
        ).pk
        > 1000
    )
