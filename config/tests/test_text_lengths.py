"""Every text has a limit: in the model, the serializers, the admin and the database."""

import pytest
from django import forms
from django.apps import apps
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction
from django.urls import reverse
from rest_framework import serializers

from accounts.models import User
from accounts.tests.helpers import data, error_details
from appointments import services as appointments
from appointments.models import Appointment
from appointments.tests.factories import make_appointment
from config.admin.forms import ActionForm
from consultations.tests.factories import MEDICATION, make_consultation

OWN_APPS = ["accounts", "patients", "appointments", "consultations"]
MODELS = [model for app in OWN_APPS for model in apps.get_app_config(app).get_models()]
TEXTS = (models.CharField, models.TextField)

# Columns that only the code writes: ids, hashes, names of actions, and the password's hash.
# PostgreSQL limits them by their type.
WRITTEN_BY_CODE = {
    "AppointmentHistory.action",
    "AuditEvent.address",
    "AuditEvent.event",
    "AuditEvent.request_id",
    "AuditEvent.role",
    "AuditEvent.session",
    "AuditSeal.hash",
    "AuditSeal.proof",
    "IdempotencyKey.fingerprint",
    "LoginCounter.key",
    "OutgoingMessage.language",
    "OutgoingMessage.last_error",
    "OutgoingMessage.template",
    "Session.jti",
    "User.avatar",
    "User.password",
    "User.search_text",
    "User.sort_first_name",
    "User.sort_last_name",
}

INSTALLED = {
    "postgresql": "SELECT conname FROM pg_constraint"
    " WHERE convalidated AND conrelid = %s::regclass",
    "sqlite": "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = %s",
}

LENGTHS = {
    "User.username": 150,
    "User.first_name": 150,
    "User.last_name": 150,
    "User.email": 254,
    "User.pending_email": 254,
    "User.contact_email": 254,
    "User.phone": 32,
    "User.address": 500,
    "User.medical_license_number": 50,
    "User.specialization": 100,
    "User.medical_history": 10_000,
    "User.allergies": 10_000,
    "User.emergency_contact": 150,
    "User.emergency_contact_phone": 32,
    "User.emergency_contact_relation": 50,
    "Session.user_agent": 200,
    "IdempotencyKey.key": 255,
    "OutgoingMessage.recipient": 254,
    "EmergencyAccess.reason": 2_000,
    "Appointment.reason_for_visit": 10_000,
    "Appointment.symptoms": 10_000,
    "Appointment.contact_phone": 32,
    "Appointment.patient_notes": 10_000,
    "Appointment.doctor_notes": 50_000,
    "AppointmentHistory.reason": 2_000,
    "Consultation.chief_complaint": 50_000,
    "Consultation.history_of_present_illness": 50_000,
    "Consultation.physical_examination": 50_000,
    "Consultation.assessment": 50_000,
    "Consultation.diagnosis": 50_000,
    "Consultation.treatment_plan": 50_000,
    "Consultation.follow_up_instructions": 50_000,
    "Consultation.doctor_notes": 50_000,
    "Consultation.reopen_reason": 2_000,
    "Prescription.medication_name": 200,
    "Prescription.dosage": 100,
    "Prescription.frequency": 100,
    "Prescription.duration": 100,
    "Prescription.instructions": 50_000,
    "Prescription.override_reason": 2_000,
    "ConsultationNote.title": 200,
    "ConsultationNote.content": 50_000,
}


def is_history(model):
    """Whether the rows are versions: copies of rows that the constraints have let pass."""
    return model.__name__.startswith("Historical")


def text_columns(*, of_history=False):
    return {
        f"{model.__name__}.{field.name}": (model, field)
        for model in MODELS
        if not model._meta.proxy and is_history(model) == of_history
        for field in model._meta.local_concrete_fields
        if isinstance(field, (*TEXTS, models.FileField))
        and not isinstance(field, models.GenericIPAddressField)
        and not field.choices
    }


def test_every_text_column_has_a_length_in_the_model():
    columns = text_columns()

    assert columns.keys() == LENGTHS.keys() | WRITTEN_BY_CODE
    assert {name: columns[name][1].max_length for name in LENGTHS} == LENGTHS
    assert all(field.max_length for _, field in columns.values())
    for name, (_, field) in columns.items():
        if name in LENGTHS:
            with pytest.raises(ValidationError):
                field.run_validators("1" * (LENGTHS[name] + 1))


def test_versions_have_the_lengths_of_their_records():
    history = text_columns(of_history=True)

    own = {
        name: (LENGTHS | {"User.avatar": 100}).get(name.removeprefix("Historical"))
        for name in history
        if not name.endswith(".history_change_reason")
    }
    assert {name: history[name][1].max_length for name in own} == own
    assert len(own) == 33


@pytest.mark.django_db
@pytest.mark.parametrize("name", LENGTHS)
def test_the_database_limits_every_text_that_a_person_writes(name):
    model, field = text_columns()[name]

    checks = [
        one
        for one in model._meta.constraints
        if one.name.endswith("_length")
        and one.condition.lhs.source_expressions[0].name == field.name
    ]
    with connection.cursor() as cursor:
        cursor.execute(INSTALLED[connection.vendor], [model._meta.db_table])
        installed = "".join(sql for (sql,) in cursor.fetchall())

    assert [one.condition.rhs for one in checks] == [LENGTHS[name]]
    assert checks[0].name in installed


def subclasses(cls):
    for sub in cls.__subclasses__():
        yield sub
        yield from subclasses(sub)


def writable_texts():
    """The fields of all serializers of the apps that write a text, each with its model's column."""
    for cls in set(subclasses(serializers.Serializer)):
        if cls.__module__.split(".")[0] not in OWN_APPS:
            continue
        is_of_model = issubclass(cls, serializers.ModelSerializer)
        fields = cls().fields if is_of_model else cls._declared_fields
        for name, field in fields.items():
            if isinstance(field, serializers.CharField) and not field.read_only:
                yield cls, name, field


def test_every_serializer_field_that_writes_a_text_has_a_length():
    found = list(writable_texts())
    limits = {(cls.__name__, name): field.max_length for cls, name, field in found}

    assert not [key for key, limit in limits.items() if limit is None]
    for cls, name, field in found:
        key = f"{getattr(getattr(cls, 'Meta', None), 'model', type(None)).__name__}.{name}"
        key = key.replace("Patient.", "User.")
        assert field.max_length == LENGTHS.get(key, field.max_length), key
    assert limits["MoveSerializer", "reason"] == 2_000
    assert limits["BookingSerializer", "doctor_notes"] == 50_000
    assert limits["BookingSerializer", "symptoms"] == 10_000
    assert limits["ConsultationCreateSerializer", "chief_complaint"] == 50_000


def admin_forms(request):
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label not in OWN_APPS:
            continue
        if model_admin.has_add_permission(request):
            yield model_admin.get_form(request)().fields
        row = model_admin.get_queryset(request).first()
        if row and model_admin.has_change_permission(request, row):
            yield model_admin.get_form(request, row, change=True)(instance=row).fields
    for form in subclasses(ActionForm):
        yield form.base_fields


def test_every_form_of_the_admin_has_the_lengths(admin_client):
    request = admin_client.get(reverse("admin:index")).wsgi_request
    texts = [
        (name, field)
        for fields in admin_forms(request)
        for name, field in fields.items()
        if isinstance(field, forms.CharField) and not isinstance(field.widget, forms.HiddenInput)
    ]

    assert not [name for name, field in texts if field.max_length is None]
    assert {"reason", "chief_complaint", "doctor_notes", "medical_history"} <= dict(texts).keys()
    assert {field.max_length for name, field in texts if name == "reason"} == {2_000}
    assert {field.max_length for name, field in texts if name == "allergies"} == {10_000}


@pytest.mark.django_db
def test_a_text_may_be_as_long_as_the_limit_and_no_longer(api, smith, jane):
    url = reverse("consultation-detail", args=[make_consultation(doctor=smith, patient=jane).pk])

    accepted = api(smith).patch(url, {"diagnosis": "é" * 50_000})
    refused = api(smith).patch(url, {"diagnosis": "é" * 50_001})

    assert len(data(accepted)["diagnosis"]) == 50_000
    assert error_details(refused)[:2] == (400, "validation_error")
    assert list(refused.json()["errors"]) == ["diagnosis"]
    refused = api(smith).post(f"{url}prescriptions/", MEDICATION | {"override_reason": "x" * 2_001})
    assert list(refused.json()["errors"]) == ["override_reason"]
    refused = api(jane).patch("/api/auth/profile/", {"allergies": "x" * 10_001})
    assert list(refused.json()["errors"]) == ["allergies"]


def test_the_admin_refuses_a_reason_that_the_api_refuses(admin_client):
    appointment = make_appointment()
    page = reverse("admin:appointments_appointment_cancel", args=[appointment.pk])

    answer = admin_client.post(page, {"reason": "x" * 2_001})

    assert answer.context["form"].errors.keys() == {"reason"}
    appointment.refresh_from_db()
    assert appointment.status == "scheduled"


@pytest.mark.django_db
def test_the_database_refuses_a_longer_text_and_the_error_names_the_field(smith, jane, ada, api):
    appointment = make_appointment(doctor=smith, patient=jane)

    with transaction.atomic(), pytest.raises(IntegrityError):
        appointments.move(appointment, "cancel", by=ada, reason="x" * 2_001)
    with transaction.atomic(), pytest.raises(IntegrityError):
        Appointment.objects.filter(pk=appointment.pk).update(symptoms="x" * 10_001)
    with transaction.atomic(), pytest.raises(IntegrityError):
        User.objects.filter(pk=jane.pk).update(medical_history="x" * 10_001)
