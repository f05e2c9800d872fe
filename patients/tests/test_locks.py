"""The second of two transactions waits for the first and then changes what the first committed."""

import pytest

from accounts import services as accounts
from accounts.models import User
from accounts.tests.factories import AdminFactory
from appointments import services as appointments
from appointments.models import Appointment
from appointments.tests.factories import make_appointment
from config.tests.lock_waiting import requires_row_locks, run_behind_lock
from patients import services
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = [requires_row_locks, pytest.mark.django_db(transaction=True)]


def test_deactivating_keeps_a_concurrent_profile_change():
    jane, ada = PatientFactory(), AdminFactory()

    outcome = run_behind_lock(
        lambda: accounts.update_profile(jane, by=jane, phone="030 1"),
        lambda: services.deactivate(jane, by=ada),
    )

    now = Patient.objects.get(pk=jane.pk)
    assert outcome == (True, "done")
    assert (now.phone, now.is_active, now.version) == ("030 1", False, 3)


def test_a_concurrently_changed_patient_is_not_deactivated_with_a_stale_version():
    jane, ada = PatientFactory(), AdminFactory()

    outcome = run_behind_lock(
        lambda: accounts.update_profile(jane, by=jane, phone="030 1"),
        lambda: services.deactivate(jane, by=ada, if_version={1}),
    )

    assert outcome == (True, "stale_version")
    assert Patient.objects.get(pk=jane.pk).is_active


def test_reactivating_keeps_a_concurrent_profile_change():
    ada = AdminFactory()
    jane = services.deactivate(PatientFactory(), by=ada)

    outcome = run_behind_lock(
        lambda: accounts.update_profile(jane, by=ada, phone="030 1"),
        lambda: services.reactivate(jane),
    )

    now = Patient.objects.get(pk=jane.pk)
    assert outcome == (True, "done")
    assert (now.phone, now.is_active) == ("030 1", True)


def test_anonymising_includes_a_concurrent_profile_change():
    jane, ada = PatientFactory(), AdminFactory()

    outcome = run_behind_lock(
        lambda: accounts.update_profile(jane, by=jane, phone="030 1"),
        lambda: services.anonymise(jane, by=ada),
    )

    assert outcome == (True, "done")
    assert Patient.objects.get(pk=jane.pk).phone == ""
    assert not User.history.filter(phone="030 1").exists()


def test_a_concurrently_anonymised_patient_is_not_renamed():
    jane, ada = PatientFactory(), AdminFactory()

    outcome = run_behind_lock(
        lambda: services.anonymise(jane, by=ada),
        lambda: accounts.update_profile(jane, by=jane, phone="030 1"),
    )

    assert outcome == (True, "record_anonymised")
    assert Patient.objects.get(pk=jane.pk).phone == ""


def test_anonymising_includes_a_concurrent_change_of_an_appointment_phone():
    """The appointment is past, so deactivating does not lock it."""
    visit, ada = make_appointment("in_progress"), AdminFactory()

    def write():
        appointments.lock(visit)
        Appointment.objects.filter(pk=visit.pk).update(contact_phone="030 1")

    outcome = run_behind_lock(write, lambda: services.anonymise(visit.patient, by=ada))

    assert outcome == (True, "done")
    assert Appointment.objects.get().contact_phone == ""
