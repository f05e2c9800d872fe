"""A cancelled or missed visit has no consultation data, and an appointment has one consultation."""

import pytest
from django.core.exceptions import ValidationError

from appointments import services as appointments
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import all_rows
from consultations import services
from consultations.models import Consultation, Prescription, VitalSigns
from consultations.tests.factories import MEDICATION, make_consultation

pytestmark = pytest.mark.django_db

CHANGES = {
    "start": services.start,
    "complete": services.complete,
    "write": lambda visit, by: services.update_text(visit, by=by, diagnosis="Gout"),
    "vital signs": lambda visit, by: services.record_vital_signs(visit, by=by, heart_rate=70),
    "prescribe": lambda visit, by: services.prescribe(visit, by=by, **MEDICATION),
}


def code_of(work):
    with pytest.raises(ValidationError) as refused:
        work()
    [error] = [one for errors in refused.value.error_dict.values() for one in errors]
    return error.code


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_can_be_written_to_the_consultation_of_a_cancelled_or_missed_visit(change):
    visit = make_consultation()
    doctor = visit.doctor
    appointments.move(visit.appointment, "cancel", by=doctor)
    before = all_rows(Consultation, VitalSigns, Prescription)

    assert code_of(lambda: CHANGES[change](visit, by=doctor)) == "invalid_transition"
    assert all_rows(Consultation, VitalSigns, Prescription) == before


@pytest.mark.parametrize("status", ["completed", "cancelled", "no_show"])
def test_a_finished_appointment_cannot_get_a_consultation(status):
    over = make_appointment(status)

    assert code_of(lambda: services.open_for(over, by=over.doctor)) == "invalid_transition"
    assert not Consultation.objects.exists()


def test_an_appointment_has_one_consultation():
    visit = make_consultation()
    again = visit.appointment

    assert code_of(lambda: services.open_for(again, by=again.doctor)) == "consultation_exists"
    assert Consultation.objects.count() == 1


def test_a_prescription_of_an_aborted_visit_can_be_stopped_and_not_resumed():
    visit = make_consultation(started=True)
    doctor = visit.doctor
    prescription = services.prescribe(visit, by=doctor, **MEDICATION)
    appointments.move(visit.appointment, "cancel", by=doctor)

    def set_active(value):
        services.set_active(prescription, by=doctor, is_active=value)

    assert code_of(lambda: set_active(True)) == "invalid_transition"
    set_active(False)
    before = all_rows(Consultation, Prescription)
    assert code_of(lambda: set_active(True)) == "invalid_transition"

    assert all_rows(Consultation, Prescription) == before
    assert not Prescription.objects.get().is_active
