"""Admin pages of the patient directory."""

import pytest
from django.urls import reverse

from appointments.tests.factories import make_appointment
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:patients_patient_changelist")
ADD = reverse("admin:patients_patient_add")


def page_of(patient, step="change"):
    return f"/admin/patients/patient/{patient.pk}/{step}/"


def form_of(patient, **changes):
    names = ["first_name", "last_name", "username", "email", "phone", "gender", "allergies"]
    return {name: getattr(patient, name) for name in names} | changes


def test_a_patient_is_registered_with_a_name_only(admin_client):
    response = admin_client.post(
        ADD, {"first_name": "Jane", "last_name": "Doe", "gender": "unknown"}
    )

    assert response.status_code == 302
    patient = Patient.objects.get()
    assert patient.username.startswith("patient-")
    assert not patient.has_usable_password()


def test_a_patient_without_a_name_is_refused(admin_client):
    response = admin_client.post(ADD, {"first_name": "", "last_name": "", "gender": "unknown"})

    assert {"first_name", "last_name"} <= response.context["adminform"].form.errors.keys()
    assert not Patient.objects.exists()


def test_allergies_are_shown_at_the_top_of_the_record(admin_client):
    patient = PatientFactory(allergies="Penicillin <b>")

    content = admin_client.get(page_of(patient)).content.decode()

    banner = content[content.index('id="allergies"') :]
    assert "Allergies: Penicillin &lt;b&gt;" in banner[:500]


def test_a_record_is_edited(admin_client):
    patient = PatientFactory()

    admin_client.post(page_of(patient), form_of(patient, allergies="Latex"))

    patient.refresh_from_db()
    assert (patient.allergies, patient.is_active) == ("Latex", True)


def test_an_edit_is_listed_in_the_history(admin_client):
    patient = PatientFactory(allergies="Latex")

    admin_client.post(page_of(patient), form_of(patient, allergies="Penicillin"))

    versions = admin_client.get(page_of(patient, "history"), follow=True)
    assert "Penicillin" in versions.content.decode()


def test_deactivating_a_patient_cancels_coming_appointments(admin_client):
    appointment = make_appointment()
    page = page_of(appointment.patient, "deactivate")

    admin_client.get(page)
    assert Patient.objects.get().is_active is True
    admin_client.post(page)

    appointment.refresh_from_db()
    assert Patient.objects.get().is_active is False
    assert appointment.status == "cancelled"


def test_patients_are_deactivated_and_reactivated_from_the_list(admin_client):
    patients = PatientFactory.create_batch(2)
    chosen = {"_selected_action": [one.pk for one in patients]}

    admin_client.post(LIST, chosen | {"action": "deactivate_patients"})
    closed = Patient.objects.filter(is_active=False).count()
    admin_client.post(LIST, chosen | {"action": "reactivate_patients"})

    assert closed == 2
    assert Patient.objects.filter(is_active=True).count() == 2


def test_the_search_finds_a_phone_number_and_a_date_of_birth(admin_client):
    wanted = PatientFactory(phone="+49 30 777", date_of_birth="1990-04-12")
    PatientFactory()

    for term in ("777", "1990-04-12"):
        found = admin_client.get(LIST, {"q": term}).context["cl"].queryset
        assert [one.pk for one in found] == [wanted.pk]
