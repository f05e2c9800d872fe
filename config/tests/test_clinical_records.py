"""The registry of clinical records: complete, and read by everything that needs it."""

import pytest
from django.apps import apps
from django.contrib import admin
from django.urls import reverse

from accounts.models import AuditEvent, User
from config.access_report import reported_models
from config.clinical_records import clinical_records, record_of
from config.db.querysets import ScopedQuerySet, hidden_fields
from config.tests.personas import build_clinic
from consultations.models import Consultation, ConsultationNote, Prescription
from patients.models import Patient
from patients.services import anonymise

RECORDS = clinical_records()


def test_every_model_about_a_patient_is_registered():
    about_patients = {
        model
        for model in apps.get_models()
        if getattr(model, "subject_id", None) is not None and model is not User
    }

    assert {record.model for record in RECORDS} == about_patients


def test_the_access_report_has_every_model_with_restricted_rows():
    restricted = {
        model
        for model in apps.get_models()
        if isinstance(model._default_manager.all(), ScopedQuerySet) and model is not User
    }

    assert set(reported_models()) == restricted


def test_a_model_that_is_not_registered_is_an_error():
    with pytest.raises(LookupError, match="AuditEvent is not registered"):
        record_of(AuditEvent)


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.django_db
def test_the_lookup_of_a_record_leads_to_its_patient(record):
    clinic = build_clinic()

    for patient in (clinic.jane, clinic.paul):
        rows = list(record.of_patient(patient.pk))
        assert {row.subject_id for row in rows} <= {patient.pk}
    assert record.of_patient(clinic.jane.pk).exists()


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_is_exported_whole_or_within_another(record):
    assert record.export or record.part_of
    assert set(record.personal) <= {field.name for field in record.model._meta.concrete_fields}


def test_parts_and_wholes_name_each_other():
    for record in RECORDS:
        if record.part_of:
            assert record in record.whole.parts


@pytest.mark.django_db
def test_the_sidebar_links_every_record(admin_client):
    content = admin_client.get(reverse("admin:index")).content.decode()

    for record in RECORDS:
        assert admin.site.is_registered(record.model)
        assert str(record.title) in content


def test_hidden_fields_are_said_by_the_model():
    assert hidden_fields(Consultation, "patient") == {"doctor_notes"}
    assert hidden_fields(Consultation, "doctor") == set()
    assert hidden_fields(Prescription, "patient") == set()


@pytest.mark.django_db
def test_personal_text_is_emptied_in_versions_too():
    clinic = build_clinic()
    record = record_of(ConsultationNote)
    notes = record.of_patient(clinic.jane.pk)
    notes.update(title="Jane Doe")
    for note in notes:
        note.save()
    object.__setattr__(record, "personal", ("title",))
    try:
        anonymise(clinic.jane, by=clinic.ada)
    finally:
        object.__setattr__(record, "personal", ())

    assert set(notes.values_list("title", flat=True)) == {""}
    versions = ConsultationNote.history.filter(consultation__patient=clinic.jane.pk)
    assert set(versions.values_list("title", flat=True)) == {""}
    assert versions.latest("history_id").history_user == clinic.ada
    assert Patient.objects.get(pk=clinic.jane.pk).first_name == ""
