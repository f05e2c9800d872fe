"""Who comes second waits, and changes what the first has left."""

import pytest

from accounts import services as accounts
from accounts.models import User
from accounts.tests.factories import AdminFactory
from appointments import services as appointments
from appointments.models import Appointment
from appointments.tests.factories import an_appointment
from config.tests.lock_waiting import on_row_locks, second_in_line
from patients import services
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = [on_row_locks, pytest.mark.django_db(transaction=True)]


def test_closing_a_record_keeps_what_was_written_a_moment_ago():
    jane, ada = PatientFactory(), AdminFactory()

    outcome = second_in_line(
        lambda: accounts.update_profile(jane, by=jane, phone="030 1"),
        lambda: services.deactivate(jane, by=ada),
    )

    now = Patient.objects.get(pk=jane.pk)
    assert outcome == (True, "done")
    assert (now.phone, now.is_active, now.version) == ("030 1", False, 3)


def test_a_record_is_not_closed_that_has_changed_a_moment_ago():
    jane, ada = PatientFactory(), AdminFactory()

    outcome = second_in_line(
        lambda: accounts.update_profile(jane, by=jane, phone="030 1"),
        lambda: services.deactivate(jane, by=ada, if_version={1}),
    )

    assert outcome == (True, "stale_version")
    assert Patient.objects.get(pk=jane.pk).is_active


def test_opening_a_record_again_keeps_what_was_written_a_moment_ago():
    ada = AdminFactory()
    jane = services.deactivate(PatientFactory(), by=ada)

    outcome = second_in_line(
        lambda: accounts.update_profile(jane, by=ada, phone="030 1"),
        lambda: services.reactivate(jane),
    )

    now = Patient.objects.get(pk=jane.pk)
    assert outcome == (True, "done")
    assert (now.phone, now.is_active) == ("030 1", True)


def test_what_was_written_a_moment_ago_is_made_anonymous_too():
    jane, ada = PatientFactory(), AdminFactory()

    outcome = second_in_line(
        lambda: accounts.update_profile(jane, by=jane, phone="030 1"),
        lambda: services.anonymise(jane, by=ada),
    )

    assert outcome == (True, "done")
    assert Patient.objects.get(pk=jane.pk).phone == ""
    assert not User.history.filter(phone="030 1").exists()


def test_a_record_made_anonymous_a_moment_ago_is_not_named_again():
    jane, ada = PatientFactory(), AdminFactory()

    outcome = second_in_line(
        lambda: services.anonymise(jane, by=ada),
        lambda: accounts.update_profile(jane, by=jane, phone="030 1"),
    )

    assert outcome == (True, "This record is anonymised. It cannot be changed any more.")
    assert Patient.objects.get(pk=jane.pk).phone == ""


def test_a_phone_number_written_into_an_appointment_a_moment_ago_goes_too():
    """Of a visit that is past, which its closing does not lock."""
    visit, ada = an_appointment("in_progress"), AdminFactory()

    def write():
        appointments.lock(visit)
        Appointment.objects.filter(pk=visit.pk).update(contact_phone="030 1")

    outcome = second_in_line(write, lambda: services.anonymise(visit.patient, by=ada))

    assert outcome == (True, "done")
    assert Appointment.objects.get().contact_phone == ""
