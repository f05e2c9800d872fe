"""Admin forms refuse to overwrite a record that has changed since it was read."""

import pytest
from django.contrib.admin.models import LogEntry

from accounts import services as accounts
from appointments import services as appointments
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import all_rows
from config.tests.admin_forms import filled_form
from config.tests.personas import build_clinic
from consultations import services as consultations
from consultations.models import Consultation
from consultations.tests.factories import make_consultation
from patients.models import Patient


@pytest.fixture
def clinic(db):
    clinic = build_clinic()
    clinic.fresh = make_appointment(patient=clinic.jane, doctor=clinic.house)
    clinic.fresh_consultation = make_consultation(patient=clinic.jane, doctor=clinic.house)
    return clinic


def stored_rows():
    return all_rows(Appointment, AppointmentHistory, Consultation, Patient)


def pages_of(clinic):
    """Returns (page of a record, text field, record, concurrent change)."""
    return {
        "appointment": (
            "appointments/appointment",
            "symptoms",
            clinic.fresh,
            lambda it: appointments.update(it, by=clinic.jane, symptoms="Fever"),
        ),
        "consultation": (
            "consultations/consultation",
            "diagnosis",
            clinic.fresh_consultation,
            lambda it: consultations.update_text(it, by=clinic.house, diagnosis="Gout"),
        ),
        "a part of it": (
            "consultations/consultation",
            "diagnosis",
            clinic.fresh_consultation,
            lambda it: consultations.record_vital_signs(it, by=clinic.house, heart_rate=70),
        ),
        "patient": (
            "patients/patient",
            "allergies",
            clinic.jane,
            lambda it: accounts.update_profile(it, by=clinic.house, allergies="Penicillin"),
        ),
        "account": (
            "accounts/user",
            "allergies",
            clinic.jane,
            lambda it: accounts.update_profile(it, by=clinic.house, allergies="Penicillin"),
        ),
        "doctor": (
            "accounts/doctor",
            "specialization",
            clinic.house,
            lambda it: accounts.update_profile(it, by=clinic.ada, phone="030 1"),
        ),
    }


@pytest.mark.parametrize(
    "which", ["appointment", "consultation", "a part of it", "patient", "account", "doctor"]
)
def test_a_stale_admin_form_is_refused(client, clinic, which):
    client.force_login(clinic.ada)
    page, field, record, change_concurrently = pages_of(clinic)[which]
    address = f"/admin/{page}/{record.pk}/change/"
    typed = filled_form(client, address) | {field: "As it was told at the desk"}
    change_concurrently(record)
    before = stored_rows()

    refused = client.post(address, typed)

    assert refused.status_code == 200
    [sentence] = refused.context["adminform"].form.non_field_errors()
    assert sentence.startswith("Somebody else has changed this record in the meantime.")
    assert sentence in refused.content.decode()
    assert "As it was told at the desk" in refused.content.decode()
    assert stored_rows() == before
    assert client.post(address, typed).status_code == 200  # a resubmitted form is still stale
    assert stored_rows() == before
    again = filled_form(client, address) | {field: "As it was told at the desk"}
    assert client.post(address, again).status_code == 302
    record.refresh_from_db()
    assert getattr(record, field) == "As it was told at the desk"


@pytest.mark.parametrize("version", ["two", "1.5", '{"a": 1}'])
def test_an_admin_form_with_an_invalid_version_is_refused(client, clinic, version):
    client.force_login(clinic.ada)
    address = f"/admin/patients/patient/{clinic.jane.pk}/change/"
    typed = filled_form(client, address) | {"phone": "030 1"}
    before = stored_rows()

    refused = client.post(address, typed | {"if_version": version})

    assert refused.status_code == 200
    assert list(refused.context["adminform"].form.errors) == ["if_version"]
    assert stored_rows() == before


def test_the_version_of_an_admin_form_is_no_changed_field(client, clinic):
    """Without a version the form is saved, as without `If-Match`, and the log does not mention
    it.
    """
    client.force_login(clinic.ada)
    address = f"/admin/patients/patient/{clinic.jane.pk}/change/"
    typed = filled_form(client, address)
    del typed["if_version"]

    assert client.post(address, typed | {"phone": "030 1"}).status_code == 302

    assert "Phone" in LogEntry.objects.get().get_change_message()
    assert "ersion" not in LogEntry.objects.get().get_change_message()
