"""A change that changes nothing writes no version, no version number and no "update" event."""

from itertools import pairwise

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from accounts import licences
from accounts import services as accounts
from accounts.models import Action, AuditEvent, User
from accounts.tests.helpers import data
from appointments import services as appointments
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import make_appointment
from config.tests.admin_forms import submit
from consultations import services as consultations
from consultations.models import Consultation, Prescription
from consultations.tests.factories import MEDICATION, make_consultation
from patients import services as patients
from patients.models import Patient

PROFILE = "/api/auth/profile/"
WRITES = [Action.CREATE, Action.UPDATE, Action.DELETE]


def written():
    """Everything that a change would leave: versions, rows of history, events and stamps."""
    return [
        User.history.count(),
        Consultation.history.count(),
        Prescription.history.count(),
        AppointmentHistory.objects.count(),
        AuditEvent.objects.filter(action__in=WRITES).exclude(event="session.open").count(),
        LogEntry.objects.count(),
        *User.objects.order_by("pk").values_list("version", "updated_at"),
        *Appointment.objects.order_by("pk").values_list("version", "updated_at"),
        *Consultation.objects.order_by("pk").values_list("version", "updated_at"),
    ]


@pytest.fixture
def visit(smith, jane):
    appointment = make_appointment(doctor=smith, patient=jane, symptoms="Cough\nfever")
    return make_consultation(appointment=appointment)


def addresses(visit):
    return {
        "patient": f"/api/patients/{visit.patient_id}/",
        "appointment": f"/api/appointments/{visit.appointment_id}/",
        "consultation": f"/api/consultations/{visit.pk}/",
    }


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["patient", "appointment", "consultation"])
@pytest.mark.parametrize("body", ["empty", "same value", "whole record"])
def test_a_request_that_changes_nothing_is_a_read(kind, body, api, smith, visit):
    address, client = addresses(visit)[kind], api(smith)
    read = client.get(address)
    field = {"patient": "phone", "appointment": "symptoms", "consultation": "chief_complaint"}[kind]
    bodies = {"empty": {}, "same value": {field: data(read)[field]}, "whole record": data(read)}
    before = written()

    for headers in ({}, {"If-Match": read["ETag"]}):
        answer = client.patch(address, bodies[body], headers=headers)
        assert data(answer) == data(read)
        assert answer["ETag"] == read["ETag"]

    assert written() == before
    event = AuditEvent.objects.latest("pk")
    assert (event.event, event.action) == (f"{kind}.partial_update", Action.READ)
    assert event.records == [f"{kind}/{data(read)['id']}"]
    assert (event.patients, event.changed, event.actor) == ([visit.patient_id], [], smith.pk)


@pytest.mark.django_db
def test_an_empty_change_of_the_own_profile_is_a_read(api, jane):
    before, read = written(), api(jane).get(PROFILE)

    answer = api(jane).patch(PROFILE, {})

    assert (data(answer), answer["ETag"]) == (data(read), read["ETag"])
    assert written() == before
    event = AuditEvent.objects.latest("pk")
    assert (event.action, event.records) == (Action.READ, [f"patient/{jane.pk}"])


@pytest.mark.django_db
def test_sixty_empty_changes_of_a_long_record_store_nothing(api, jane):
    client = api(jane)
    data(client.patch(PROFILE, {"medical_history": "x" * 10_000, "allergies": "y" * 10_000}))
    before = written()

    for _ in range(60):
        data(client.patch(PROFILE, {"phone": jane.phone}))

    assert written() == before


@pytest.mark.django_db
def test_a_real_change_still_writes_one_version(api, smith, visit):
    texts = ["Cough", "Cough and fever", "Cough"]

    for number, (_, text) in enumerate(pairwise(["", *texts]), 1):
        data(api(smith).patch(addresses(visit)["consultation"], {"assessment": text}))
        assert Consultation.history.count() == 1 + number
        assert Consultation.objects.get().version == 1 + number


@pytest.mark.django_db
def test_a_service_that_finds_nothing_to_do_writes_nothing(smith, jane, ada, visit):
    prescription = consultations.prescribe(visit, by=smith, **MEDICATION)
    paul = Patient.objects.create(username="paul", is_active=False)
    before = written()

    accounts.update_profile(jane, by=ada, first_name=f" {jane.first_name} ")
    licences.verify_licence(smith)
    appointments.update(visit.appointment, by=smith, status="scheduled", symptoms="Cough\nfever")
    consultations.update_text(visit, by=smith, chief_complaint=visit.chief_complaint)
    consultations.set_active(prescription, by=smith, is_active=True)
    patients.reactivate(jane)
    patients.deactivate(paul, by=ada)

    assert written() == before


@pytest.mark.django_db
def test_an_unchanged_form_of_the_admin_writes_nothing(client, ada, jane, smith, visit):
    accounts.update_profile(jane, by=ada, medical_history="Asthma\nsince childhood")
    consultations.update_text(visit, by=smith, assessment="Cough\nfever")
    client.force_login(ada)
    before = written()

    for name, record in [
        ("patients_patient", jane),
        ("accounts_user", jane),
        ("accounts_doctor", smith),
        ("appointments_appointment", visit.appointment),
        ("consultations_consultation", visit),
    ]:
        page = reverse(f"admin:{name}_change", args=[record.pk])
        assert submit(client, page).status_code == 302
        as_sent_by_browsers = {
            field: value.replace("\n", "\r\n")
            for field, value in {
                "medical_history": "Asthma\nsince childhood",
                "symptoms": "Cough\nfever",
                "assessment": "Cough\nfever",
            }.items()
        }
        assert submit(client, page, **as_sent_by_browsers).status_code == 302

    after = written()
    assert after == before
