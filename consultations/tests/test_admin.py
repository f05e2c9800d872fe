"""Admin pages of consultations: editable while open, read-only when completed."""

import pytest
from django.urls import reverse

from accounts.tests.factories import DoctorFactory
from appointments.tests.factories import make_appointment, make_appointment_of_today
from config.tests.admin_forms import submit
from consultations.models import Consultation
from consultations.tests.factories import add_parts, make_consultation
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

ADD = reverse("admin:consultations_consultation_add")
LIST = reverse("admin:consultations_consultation_changelist")
TEXT = {"chief_complaint": "Cough", "diagnosis": "Bronchitis"}


def page_of(record, step="change"):
    return f"/admin/consultations/{record._meta.model_name}/{record.pk}/{step}/"


def errors_of(response):
    return response.context["adminform"].form.errors


def test_a_consultation_is_opened_once_per_appointment(admin_client):
    appointment = make_appointment(reason_for_visit="Knee")

    admin_client.post(ADD, {"appointment": appointment.pk})
    again = admin_client.post(ADD, {"appointment": appointment.pk})

    assert Consultation.objects.get().chief_complaint == "Knee"
    assert errors_of(again) == {"appointment": ["This appointment already has a consultation."]}


def test_a_walk_in_requires_patient_doctor_and_complaint(admin_client):
    form = {
        "patient": PatientFactory().pk,
        "doctor": DoctorFactory().pk,
        "chief_complaint": "Bee sting",
    }

    refused = admin_client.post(ADD, {})
    admin_client.post(ADD, form)

    assert set(errors_of(refused)) == set(form)
    assert Consultation.objects.get().appointment is None


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("patient", "This patient's record is closed."),
        ("doctor", "This doctor's account is closed."),
    ],
)
def test_a_walk_in_of_a_deactivated_patient_or_doctor_is_refused_at_the_field(
    admin_client, gone, sentence
):
    people = {"patient": PatientFactory(), "doctor": DoctorFactory()}
    type(people[gone]).objects.filter(pk=people[gone].pk).update(is_active=False)
    form = {name: person.pk for name, person in people.items()}

    response = admin_client.post(ADD, form | {"chief_complaint": "Bee sting"})

    assert errors_of(response) == {gone: [sentence]}
    assert not Consultation.objects.exists()


def test_texts_are_editable_while_the_consultation_is_open(admin_client):
    consultation = make_consultation(started=True)

    submit(admin_client, page_of(consultation), **TEXT)

    consultation.refresh_from_db()
    assert consultation.diagnosis == "Bronchitis"
    assert consultation.ended_at is None


def test_a_completed_consultation_is_read_only(admin_client):
    consultation = make_consultation(completed=True)

    shown = admin_client.get(page_of(consultation))
    refused = admin_client.post(page_of(consultation), TEXT)

    assert 'name="diagnosis"' not in shown.content.decode()
    assert refused.status_code == 403
    consultation.refresh_from_db()
    assert consultation.diagnosis == ""


def test_people_and_times_cannot_be_set_by_extra_form_fields(admin_client):
    consultation = make_consultation()

    forged = {"patient": PatientFactory().pk, "ended_at": "2026-01-01", "status": "completed"}
    submit(admin_client, page_of(consultation), **TEXT, **forged)

    changed = Consultation.objects.get()
    assert (changed.patient, changed.ended_at) == (consultation.patient, None)


@pytest.mark.parametrize("step", ["start", "complete"])
def test_a_get_of_an_action_changes_nothing(admin_client, step):
    consultation = make_consultation()

    assert admin_client.get(page_of(consultation, step)).status_code == 200
    consultation.refresh_from_db()
    assert (consultation.started_at, consultation.ended_at) == (None, None)


def test_start_and_complete_also_change_the_appointment(admin_client):
    consultation = make_consultation(appointment=make_appointment_of_today())

    admin_client.post(page_of(consultation, "start"))
    consultation.appointment.refresh_from_db()
    assert consultation.appointment.status == "in_progress"
    admin_client.post(page_of(consultation, "complete"))

    consultation.appointment.refresh_from_db()
    assert consultation.appointment.status == "completed"
    assert Consultation.objects.get().is_closed


def test_a_refused_action_is_shown_on_the_page(admin_client):
    consultation = make_consultation(completed=True)

    response = admin_client.post(page_of(consultation, "start"))

    assert "This consultation is completed" in response.content.decode()


def test_allergies_are_shown_at_the_top_of_the_consultation(admin_client):
    consultation = make_consultation(patient=PatientFactory(allergies="Penicillin"))

    assert "Allergies: Penicillin" in admin_client.get(page_of(consultation)).content.decode()


def test_parts_are_shown_and_read_only(admin_client):
    consultation = add_parts(make_consultation())
    prescription = consultation.prescriptions.get()

    content = admin_client.get(page_of(consultation)).content.decode()

    assert prescription.medication_name in content
    assert admin_client.post(page_of(prescription), {"dosage": "50 mg"}).status_code == 403
    assert admin_client.get("/admin/consultations/prescription/add/").status_code == 403


def test_versions_are_shown_with_their_author_and_cannot_be_reverted(admin_client):
    consultation = make_consultation(started=True)
    submit(admin_client, page_of(consultation), **TEXT)
    first = consultation.history.last()
    page = page_of(consultation, "history")

    versions = admin_client.get(page).content.decode()
    shown = admin_client.get(f"{page}{first.pk}/")
    reverted = admin_client.post(f"{page}{first.pk}/", TEXT | {"diagnosis": "Flu"})

    assert "Bronchitis" in versions
    assert "Started at" in versions
    assert 'name="diagnosis"' not in shown.content.decode()
    assert reverted.status_code == 405
    consultation.refresh_from_db()
    assert consultation.diagnosis == "Bronchitis"


@pytest.mark.parametrize(
    ("status", "expected"),
    [("scheduled", 1), ("in_progress", 1), ("completed", 1), ("", 3)],
)
def test_consultations_are_filtered_by_status(admin_client, status, expected):
    make_consultation()
    make_consultation(started=True)
    make_consultation(completed=True)

    assert admin_client.get(LIST, {"status": status}).context["cl"].result_count == expected


def test_an_unknown_status_is_refused(admin_client):
    assert admin_client.get(LIST, {"status": "nonsense"}).status_code == 400
