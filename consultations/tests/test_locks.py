"""The second of two transactions waits for the first and then reads what the first committed."""

import pytest

from accounts import services as accounts
from accounts.tests.factories import AdminFactory, DoctorFactory
from appointments import services as appointments
from appointments.tests.factories import make_appointment, make_appointment_of_today
from config.tests.lock_waiting import requires_row_locks, run_behind_lock
from consultations import services
from consultations.models import Consultation, Prescription
from consultations.tests.factories import MEDICATION, make_consultation
from patients import services as patients
from patients.tests.factories import PatientFactory

pytestmark = [requires_row_locks, pytest.mark.django_db(transaction=True)]


def make_walk_in():
    doctor = DoctorFactory()
    return services.open_walk_in(
        patient=PatientFactory(), doctor=doctor, chief_complaint="A cough", by=doctor
    )


def make_visit_of_today():
    return make_consultation(appointment=make_appointment_of_today())


def now(visit):
    return Consultation.objects.get(pk=visit.pk)


CHANGES = {
    "start": services.start,
    "complete": services.complete,
    "write": lambda visit, by: services.update_text(visit, by=by, diagnosis="Gout"),
    "vital signs": lambda visit, by: services.record_vital_signs(visit, by=by, heart_rate=70),
    "prescribe": lambda visit, by: services.prescribe(visit, by=by, **MEDICATION),
    "note": lambda visit, by: services.add_note(visit, by=by, note_type="plan", content="Rest"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("of", [make_walk_in, make_visit_of_today])
def test_a_concurrently_completed_consultation_is_closed(change, of):
    visit = of()

    outcome = run_behind_lock(
        lambda: services.complete(visit, by=visit.doctor),
        lambda: CHANGES[change](visit, by=visit.doctor),
    )

    assert outcome == (True, "consultation_closed")
    assert now(visit).version == 2


def test_a_walk_in_of_a_concurrently_deactivated_patient_is_refused():
    doctor, patient, ada = DoctorFactory(), PatientFactory(), AdminFactory()

    outcome = run_behind_lock(
        lambda: patients.deactivate(patient, by=ada),
        lambda: services.open_walk_in(
            patient=patient, doctor=doctor, chief_complaint="A cough", by=ada
        ),
    )

    assert outcome == (True, "This patient's record is closed.")
    assert not Consultation.objects.exists()


def test_concurrent_changes_of_texts_are_both_kept():
    visit = make_walk_in()

    outcome = run_behind_lock(
        lambda: services.update_text(visit, by=visit.doctor, diagnosis="Gout"),
        lambda: services.update_text(visit, by=visit.doctor, treatment_plan="Rest"),
    )

    assert outcome == (True, "done")
    assert (now(visit).diagnosis, now(visit).treatment_plan) == ("Gout", "Rest")


def test_if_match_is_compared_after_waiting_for_the_lock():
    visit = make_walk_in()

    outcome = run_behind_lock(
        lambda: services.update_text(visit, by=visit.doctor, diagnosis="Gout"),
        lambda: services.update_text(visit, by=visit.doctor, diagnosis="Flu", if_version={1}),
    )

    assert outcome == (True, "stale_version")
    assert now(visit).diagnosis == "Gout"


@pytest.mark.parametrize("change", ["write", "vital signs", "prescribe", "start", "complete"])
def test_a_consultation_of_a_concurrently_cancelled_appointment_is_refused(change):
    visit = make_consultation()

    outcome = run_behind_lock(
        lambda: appointments.move(visit.appointment, "cancel", by=visit.doctor),
        lambda: CHANGES[change](visit, by=visit.doctor),
    )

    assert outcome == (True, "invalid_transition")
    assert now(visit).version == 1


def test_the_second_concurrent_consultation_of_an_appointment_is_refused():
    appointment = make_appointment()

    outcome = run_behind_lock(
        lambda: services.open_for(appointment, by=appointment.doctor),
        lambda: services.open_for(appointment, by=appointment.doctor),
    )

    assert outcome == (True, "consultation_exists")


def test_no_consultation_is_opened_for_a_concurrently_cancelled_appointment():
    appointment = make_appointment()

    outcome = run_behind_lock(
        lambda: appointments.move(appointment, "cancel", by=appointment.doctor),
        lambda: services.open_for(appointment, by=appointment.doctor),
    )

    assert outcome == (True, "invalid_transition")
    assert not Consultation.objects.exists()


def test_a_prescription_checks_a_concurrently_added_allergy():
    visit = make_walk_in()

    def write_and_add_allergy():
        services.update_text(visit, by=visit.doctor, diagnosis="Flu")
        accounts.update_profile(visit.patient, by=visit.doctor, allergies="Ramipril")

    outcome = run_behind_lock(
        write_and_add_allergy, lambda: services.prescribe(visit, by=visit.doctor, **MEDICATION)
    )

    assert outcome == (True, "allergy_conflict")
    assert not Prescription.objects.exists()


def test_stopping_a_prescription_keeps_concurrent_changes_of_its_row():
    """The row is read again under its own lock, whoever wrote to it."""
    visit = make_walk_in()
    prescription = services.prescribe(visit, by=visit.doctor, **MEDICATION)
    row = Prescription.objects.filter(pk=prescription.pk)

    outcome = run_behind_lock(
        lambda: row.update(instructions="With water"),
        lambda: services.set_active(prescription, by=visit.doctor, is_active=False),
    )

    assert outcome == (True, "done")
    assert row.values_list("instructions", "is_active").get() == ("With water", False)


def test_a_prescription_is_stopped_while_its_consultation_is_closed():
    visit = make_walk_in()
    prescription = services.prescribe(visit, by=visit.doctor, **MEDICATION)

    outcome = run_behind_lock(
        lambda: services.complete(visit, by=visit.doctor),
        lambda: services.set_active(prescription, by=visit.doctor, is_active=False),
    )

    assert outcome == (True, "done")
    assert not Prescription.objects.get(pk=prescription.pk).is_active
