"""The clinical record at the desk: open it is written, closed it is read."""

import pytest
from django.urls import reverse

from accounts.tests.factories import AdminFactory, DoctorFactory
from appointments.tests.factories import make_appointment
from config.tests.admin_forms import submit
from consultations.models import Consultation
from consultations.tests.factories import add_parts, make_consultation
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

ADD = reverse("admin:consultations_consultation_add")
LIST = reverse("admin:consultations_consultation_changelist")
TEXT = {"chief_complaint": "Cough", "diagnosis": "Bronchitis"}


@pytest.fixture
def desk(client):
    client.force_login(AdminFactory())
    return client


def page_of(record, step="change"):
    return f"/admin/consultations/{record._meta.model_name}/{record.pk}/{step}/"


def errors_of(response):
    return response.context["adminform"].form.errors


def test_a_consultation_is_opened_for_an_appointment_once(desk):
    appointment = make_appointment(reason_for_visit="Knee")

    desk.post(ADD, {"appointment": appointment.pk})
    again = desk.post(ADD, {"appointment": appointment.pk})

    assert Consultation.objects.get().chief_complaint == "Knee"
    assert errors_of(again) == {"appointment": ["This appointment has its consultation."]}


def test_a_walk_in_needs_patient_doctor_and_complaint(desk):
    form = {
        "patient": PatientFactory().pk,
        "doctor": DoctorFactory().pk,
        "chief_complaint": "Bee sting",
    }

    refused = desk.post(ADD, {})
    desk.post(ADD, form)

    assert set(errors_of(refused)) == set(form)
    assert Consultation.objects.get().appointment is None


@pytest.mark.parametrize(
    ("gone", "sentence"),
    [
        ("patient", "This patient's record is closed."),
        ("doctor", "This doctor's account is closed."),
    ],
)
def test_a_walk_in_of_somebody_who_has_left_is_refused_at_the_field(desk, gone, sentence):
    people = {"patient": PatientFactory(), "doctor": DoctorFactory()}
    type(people[gone]).objects.filter(pk=people[gone].pk).update(is_active=False)
    form = {name: person.pk for name, person in people.items()}

    response = desk.post(ADD, form | {"chief_complaint": "Bee sting"})

    assert errors_of(response) == {gone: [sentence]}
    assert not Consultation.objects.exists()


def test_text_is_written_while_it_is_open(desk):
    consultation = make_consultation(started=True)

    submit(desk, page_of(consultation), **TEXT)

    consultation.refresh_from_db()
    assert consultation.diagnosis == "Bronchitis"
    assert consultation.ended_at is None


def test_a_closed_consultation_is_not_editable(desk):
    consultation = make_consultation(completed=True)

    shown = desk.get(page_of(consultation))
    refused = desk.post(page_of(consultation), TEXT)

    assert 'name="diagnosis"' not in shown.content.decode()
    assert refused.status_code == 403
    consultation.refresh_from_db()
    assert consultation.diagnosis == ""


def test_who_and_when_cannot_be_set_by_adding_them_to_the_form(desk):
    consultation = make_consultation()

    forged = {"patient": PatientFactory().pk, "ended_at": "2026-01-01", "status": "completed"}
    submit(desk, page_of(consultation), **TEXT, **forged)

    changed = Consultation.objects.get()
    assert (changed.patient, changed.ended_at) == (consultation.patient, None)


@pytest.mark.parametrize("step", ["start", "complete"])
def test_asking_for_a_step_changes_nothing(desk, step):
    consultation = make_consultation()

    assert desk.get(page_of(consultation, step)).status_code == 200
    consultation.refresh_from_db()
    assert (consultation.started_at, consultation.ended_at) == (None, None)


def test_start_and_complete_bring_the_appointment_along(desk):
    consultation = make_consultation()

    desk.post(page_of(consultation, "start"))
    consultation.appointment.refresh_from_db()
    assert consultation.appointment.status == "in_progress"
    desk.post(page_of(consultation, "complete"))

    consultation.appointment.refresh_from_db()
    assert consultation.appointment.status == "completed"
    assert Consultation.objects.get().is_closed


def test_a_refused_step_is_shown_on_the_page(desk):
    consultation = make_consultation(completed=True)

    response = desk.post(page_of(consultation, "start"))

    assert "This consultation is completed" in response.content.decode()


def test_the_allergies_of_the_patient_stand_above_the_consultation(desk):
    consultation = make_consultation(patient=PatientFactory(allergies="Penicillin"))

    assert "Allergies: Penicillin" in desk.get(page_of(consultation)).content.decode()


def test_parts_are_shown_and_cannot_be_written(desk):
    consultation = add_parts(make_consultation())
    prescription = consultation.prescriptions.get()

    content = desk.get(page_of(consultation)).content.decode()

    assert prescription.medication_name in content
    assert desk.post(page_of(prescription), {"dosage": "50 mg"}).status_code == 403
    assert desk.get("/admin/consultations/prescription/add/").status_code == 403


def test_versions_are_shown_with_their_author_and_are_not_brought_back(desk):
    consultation = make_consultation(started=True)
    submit(desk, page_of(consultation), **TEXT)
    first = consultation.history.last()
    page = page_of(consultation, "history")

    versions = desk.get(page).content.decode()
    shown = desk.get(f"{page}{first.pk}/")
    reverted = desk.post(f"{page}{first.pk}/", TEXT | {"diagnosis": "Flu"})

    assert "Bronchitis" in versions
    assert "Started at" in versions
    assert 'name="diagnosis"' not in shown.content.decode()
    assert reverted.status_code == 405
    consultation.refresh_from_db()
    assert consultation.diagnosis == "Bronchitis"


@pytest.mark.parametrize(
    ("status", "expected"),
    [("scheduled", 1), ("in_progress", 1), ("completed", 1), ("nonsense", 3)],
)
def test_consultations_are_filtered_by_their_status(desk, status, expected):
    make_consultation()
    make_consultation(started=True)
    make_consultation(completed=True)

    assert desk.get(LIST, {"status": status}).context["cl"].result_count == expected
