"""Anonymising a patient removes everything that identifies them and keeps the clinical data."""

import json
from datetime import date
from io import StringIO

import pytest
from django.contrib.admin.models import LogEntry
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import CharField, TextField
from django.test import RequestFactory

from accounts.audit import hash_chain
from accounts.auth import lockout
from accounts.auth.sessions import open_session
from accounts.models import AuditEvent, IdempotencyKey, LoginCounter, Session, User
from accounts.models.searchable import SEARCH_COLUMNS
from accounts.services import PERSONAL_FIELDS, update_profile
from accounts.tests.factories import PASSWORD
from accounts.tests.helpers import image_bytes
from appointments import services as appointments
from appointments.lifecycle import Status
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import make_appointment, on_the_day
from appointments.tests.helpers import all_rows, status_and_code
from consultations import services
from consultations.models import Consultation, ConsultationNote, Prescription
from consultations.tests.factories import MEDICATION
from patients.models import Patient
from patients.services import anonymise, deactivate, reactivate
from patients.signals import patient_anonymised

pytestmark = pytest.mark.django_db

IDENTITY = "zq7who"  # in every value that identifies the patient
PHONE = "+49 7077 8899"
BORN = date(1931, 2, 3)
ADDRESS = "203.0.113.77"
CLINICAL = "zq7what"  # in every clinical text
IDENTIFYING_VALUES = (IDENTITY, "7077 8899", str(BORN), ADDRESS)

# Fields of the user that do not identify anybody.
NOT_IDENTIFYING = {
    "id", "user_type", "gender", "specialization", "license_verified", "medical_history",
    "allergies", "is_active", "is_staff", "is_superuser", "last_login", "created_at", "updated_at",
    "sessions_ended_at", "version", "email_verified", "email_set_at", "email_lost_at",
    "must_change_password",
}  # fmt: skip


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


def identifying_value(field):
    """Returns a value for a field of the user that identifies the patient."""
    if field.name == "date_of_birth":
        return BORN
    if field.name == "avatar":
        return ContentFile(image_bytes(), name="face.webp")
    if "phone" in field.name:
        return f"{PHONE} {len(field.name)}"
    return (
        f"{IDENTITY}.{field.name}@example.com"
        if "email" in field.name
        else f"{IDENTITY} {field.name}"
    )


def texts(model, *without):
    """Returns a clinical text for every text field of the model."""
    return {
        field.name: f"{CLINICAL} {field.name}"
        for field in model._meta.concrete_fields
        if isinstance(field, CharField | TextField)
        and not field.choices
        and field.name not in without
    }


@pytest.fixture
def jane(jane, ada):
    """A patient with two versions of all identifying fields and two of the medical history."""
    fields = {name: identifying_value(User._meta.get_field(name)) for name in PERSONAL_FIELDS}
    User.objects.filter(pk=jane.pk).update(username=f"{IDENTITY}.jane")
    for _ in range(2):
        jane = update_profile(jane, by=ada, medical_history=f"{CLINICAL} before", **fields)
        fields = {name: identifying_value(User._meta.get_field(name)) for name in PERSONAL_FIELDS}
        fields["last_name"] = f"{IDENTITY} married"
    return update_profile(jane, by=ada, medical_history=CLINICAL, allergies=CLINICAL)


@pytest.fixture
def visit(jane, smith, ada):
    """A completed visit with a text in every field, and its entries in the audit and admin logs."""
    visit = make_appointment(
        patient=jane,
        doctor=smith,
        contact_phone=PHONE,
        **texts(Appointment, "contact_phone", "status"),
    )
    appointments.move(visit, "confirm", by=smith, reason=CLINICAL)
    room = services.open_for(visit, by=smith)
    services.update_text(room, by=smith, **texts(Consultation))
    services.update_text(room, by=smith, diagnosis=f"{CLINICAL} after all")
    services.prescribe(room, by=smith, **MEDICATION | texts(Prescription, "medication_type"))
    services.add_note(room, by=smith, note_type="plan", **texts(ConsultationNote))
    with on_the_day(visit):
        services.complete(room, by=smith)
    where = RequestFactory(headers={"User-Agent": IDENTITY}, REMOTE_ADDR=ADDRESS).get("/")
    open_session(jane, request=where)
    IdempotencyKey.objects.create(user=jane, key=IDENTITY)
    lockout.attempt_for(jane.username, None).consume()
    visit.refresh_from_db()
    for record in (
        User.objects.get(pk=jane.pk),
        jane,
        visit,
        room,
    ):  # as the admin log would describe them
        LogEntry.objects.log_actions(ada.pk, [record], action_flag=2, single_object=True)
    return visit


def run(patient, *options, by="ada"):
    out = StringIO()
    call_command("anonymise_patient", str(patient.pk), "--by", by, *options, stdout=out)
    return out.getvalue()


@pytest.fixture
def ada(ada):
    User.objects.filter(pk=ada.pk).update(username="ada")
    ada.refresh_from_db()
    return ada


def columns_containing(*words):
    """Returns every place in the database that contains one of the words, as "table.column"."""
    places = set()
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            columns = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for column, value in zip(columns, row, strict=True):
                    if any(word in json.dumps(value, default=str) for word in words):
                        places.add(f"{table}.{column}")
    return places


def test_every_user_field_is_listed_as_kept_or_removed():
    fields = {field.name for field in User._meta.concrete_fields}

    assert fields == {*PERSONAL_FIELDS, *SEARCH_COLUMNS, "username", "password"} | NOT_IDENTIFYING


def test_no_column_identifies_the_patient_and_all_clinical_texts_remain(jane, visit):
    who, what = columns_containing(*IDENTIFYING_VALUES), columns_containing(CLINICAL)
    assert {f"accounts_user.{name}" for name in [*PERSONAL_FIELDS, "username"]} - who == {
        "accounts_user.avatar"  # the generated username
    }
    assert {
        "appointments_appointment.contact_phone",
        "accounts_session.address",
        "accounts_session.user_agent",
        "accounts_idempotencykey.key",
        "django_admin_log.object_repr",
        "accounts_historicaluser.last_name",
    } <= who

    run(jane, "--yes")

    assert columns_containing(*IDENTIFYING_VALUES) == set()
    assert columns_containing(CLINICAL) == what


def test_identifying_values_are_removed_from_all_versions(jane, visit, ada):
    before = User.history.filter(id=jane.pk).count()

    anonymise(jane, by=ada)

    versions = User.history.filter(id=jane.pk).order_by("history_id")
    assert versions.count() == before + 2  # deactivated, and anonymised
    assert {one.username for one in versions} == {f"anonymised {jane.pk}"}
    asthma = "Asthma since childhood"
    assert {one.medical_history for one in versions} == {asthma, f"{CLINICAL} before", CLINICAL}
    assert versions.last().history_user == ada


def test_clinical_texts_and_their_history_are_unchanged(jane, visit, ada):
    models = [
        AppointmentHistory, Consultation, Consultation.history.model, Prescription,
        Prescription.history.model, ConsultationNote, ConsultationNote.history.model,
    ]  # fmt: skip
    before = all_rows(*models)

    anonymise(jane, by=ada)

    assert all_rows(*models) == before


def test_coming_appointments_are_cancelled_by_the_deciding_admin(jane, smith, ada):
    coming = make_appointment(patient=jane, doctor=smith)

    run(jane, "--yes")

    coming.refresh_from_db()
    assert coming.status == Status.CANCELLED
    assert coming.history.last().changed_by == ada
    assert Patient.objects.get(pk=jane.pk).is_active is False


def test_removing_a_phone_number_is_a_new_version_of_the_appointment(jane, visit, ada):
    anonymise(jane, by=ada)

    after = Appointment.objects.get(pk=visit.pk)
    assert (after.contact_phone, after.version) == ("", visit.version + 1)


def test_images_of_all_versions_are_deleted(jane, ada, media, django_capture_on_commit_callbacks):
    earlier = media / "avatars" / "left.webp"
    earlier.write_bytes(b"a face")
    User.history.filter(id=jane.pk).update(avatar="avatars/left.webp")
    assert (media / jane.avatar.name).exists()

    with django_capture_on_commit_callbacks() as callbacks:
        anonymise(jane, by=ada)
    assert earlier.exists()  # until the change is committed
    for callback in callbacks:
        callback()

    assert not earlier.exists()
    assert not (media / jane.avatar.name).exists()


def test_the_patient_can_no_longer_sign_in(api, jane, visit, ada):
    jane.set_password(PASSWORD)
    jane.save()
    phone, name = api(jane), jane.username

    anonymise(jane, by=ada)

    jane.refresh_from_db()
    assert not LoginCounter.objects.filter(user=jane.pk).exists()
    assert not jane.has_usable_password()
    assert status_and_code(phone.get("/api/auth/profile/")) == (401, "token_invalid")
    for one in (name, jane.username):
        body = {"username": one, "password": PASSWORD}
        assert status_and_code(api().post("/api/auth/login/", body)) == (401, "invalid_credentials")
    assert not Session.objects.filter(user=jane.pk).exists()


def test_username_and_email_can_be_used_by_another_patient(jane, ada):
    anonymise(jane, by=ada)

    Patient.objects.create(username=f"{IDENTITY}.jane", email=jane.email, user_type="patient")

    assert Patient.objects.count() == 2


def test_the_reserved_username_cannot_be_chosen(api, jane):
    response = api().post(
        "/api/auth/register/",
        {
            "username": f"anonymised {jane.pk}",
            "email": "somebody@example.com",
            "password": PASSWORD,
            "first_name": "Some",
            "last_name": "Body",
            "user_type": "patient",
        },
    )

    assert status_and_code(response) == (400, "validation_error")


def test_an_anonymised_patient_cannot_be_reactivated_or_renamed(jane, ada):
    anonymise(jane, by=ada)
    before = all_rows(User, User.history.model)

    with pytest.raises(ValidationError, match="This record is anonymised"):
        reactivate(jane)
    with pytest.raises(
        ValidationError, match="This record is anonymised"
    ):  # an instance loaded before anonymising
        update_profile(jane, by=ada, first_name=IDENTITY)

    assert all_rows(User, User.history.model) == before


def test_the_admin_shows_that_a_patient_is_anonymised(client, jane, ada):
    anonymise(jane, by=ada)
    client.force_login(ada)

    page = client.post(
        f"/admin/patients/patient/{jane.pk}/change/",
        {"username": "jane", "first_name": IDENTITY, "last_name": "Doe", "gender": "unknown"},
    )

    assert "This record is anonymised." in page.content.decode()
    assert columns_containing(IDENTITY) == set()


def test_anonymising_is_audited_and_the_hash_chain_verifies(jane, visit, ada):
    hash_chain.append_hashes()

    anonymise(jane, by=ada)

    event = AuditEvent.objects.first()
    assert (event.event, event.actor, event.patients) == ("patient.anonymise", ada.pk, [jane.pk])
    assert {f"patient/{jane.pk}", f"appointment/{visit.pk}"} <= set(event.records)
    assert set(event.changed) == {
        *PERSONAL_FIELDS,
        "username",
        "password",
        "contact_phone",
        "is_active",
    }
    assert hash_chain.append_hashes() == 1
    assert hash_chain.verify().broken is None


def test_database_constraints_hold_after_anonymising(jane, omar, ada):
    anonymise(jane, by=ada)
    anonymise(omar, by=ada)

    connection.check_constraints()
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=omar.pk).update(username=f"ANONYMISED {jane.pk}")


def test_a_failure_rolls_everything_back(jane, visit, ada, media):
    before = all_rows(User, User.history.model, Appointment, Session, LogEntry, IdempotencyKey)

    def fail(sender, **kwargs):
        assert columns_containing(*IDENTIFYING_VALUES) == set()
        raise RuntimeError("the last receiver fails")

    patient_anonymised.connect(fail)
    try:
        with pytest.raises(RuntimeError, match="the last receiver fails"):
            anonymise(jane, by=ada)
    finally:
        patient_anonymised.disconnect(fail)

    after = all_rows(User, User.history.model, Appointment, Session, LogEntry, IdempotencyKey)
    assert after == before
    assert (media / jane.avatar.name).exists()


def test_other_patients_are_unchanged(jane, omar, smith, ada, visit):
    make_appointment(patient=omar, doctor=smith, contact_phone="+49 30 111")
    open_session(omar)
    others = [
        User.objects.exclude(pk=jane.pk),
        User.history.exclude(id=jane.pk),
        Appointment.objects.exclude(patient=jane),
        Session.objects.exclude(user=jane),
    ]
    before = [list(one.order_by("pk").values()) for one in others]

    anonymise(jane, by=ada)

    assert [list(one.order_by("pk").values()) for one in others] == before


def test_anonymising_twice_changes_nothing_and_says_so(jane, visit, ada):
    assert run(jane, "--yes") == f"Patient {jane.pk} is anonymous now.\n"
    before = all_rows(User, User.history.model, AuditEvent)

    assert run(jane, "--yes") == f"Patient {jane.pk} is already anonymous.\n"
    anonymise(jane, by=ada)

    assert all_rows(User, User.history.model, AuditEvent) == before


def test_a_deactivated_patient_can_be_anonymised(jane, visit, ada):
    deactivate(jane, by=ada)

    run(jane, "--yes")

    assert columns_containing(*IDENTIFYING_VALUES) == set()


def test_the_command_asks_for_confirmation(jane, ada, monkeypatch):
    before = all_rows(User, AuditEvent)

    for answer in ("\n", "yes\n", f"{jane.pk + 1}\n", ""):
        monkeypatch.setattr("sys.stdin", StringIO(answer))
        with pytest.raises(CommandError, match="Nothing was changed"):
            run(jane)
    assert all_rows(User, AuditEvent) == before

    monkeypatch.setattr("sys.stdin", StringIO(f"{jane.pk}\n"))
    assert run(jane).endswith("is anonymous now.\n")


def test_only_an_admin_anonymises_and_only_patients_are_anonymised(jane, smith, ada):
    before = all_rows(User, AuditEvent)

    for person, by, why in [
        (smith, "ada", "is not a patient but: Doctor"),
        (ada, "ada", "is not a patient but: Admin"),
        (User(pk=999999), "ada", "There is no patient 999999"),
        (jane, smith.username, "no active administrator"),
        (jane, jane.username, "no active administrator"),
    ]:
        with pytest.raises(CommandError, match=why):
            run(person, "--yes", by=by)

    assert all_rows(User, AuditEvent) == before
