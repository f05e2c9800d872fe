"""The export contains everything the clinic stores about a patient, and nothing about others."""

import json
import stat
from zipfile import ZipFile

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import RequestFactory
from django.utils import timezone

from accounts.auth import lockout
from accounts.auth.sessions import open_session
from accounts.models import Action, AuditEvent, IdempotencyKey, Session, User
from accounts.services import invite, update_profile
from accounts.tests.factories import AdminFactory
from accounts.tests.helpers import data, image_bytes, requires_postgresql
from appointments import services as appointments
from appointments.models import TimeSlot
from appointments.tests.factories import make_appointment
from consultations import services
from consultations.models import Consultation
from consultations.patient_export import EXPORTED_MODELS, export
from consultations.tests.factories import add_parts, make_consultation
from patients.emergency_access import grant_emergency_access
from patients.services import deactivate

pytestmark = pytest.mark.django_db(transaction=True)

STAFF_ONLY = "zq7staff"  # in texts that are hidden from patients
BY_STAFF = "198.51.100.7"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def full(api, jane, smith, meyer, ada):
    """Jane's record with a row of every exported model; returns her consultation."""
    image = ContentFile(image_bytes(), name="face.webp")
    update_profile(jane, by=ada, phone="+49 30 7777777", avatar=image)
    visit = make_appointment(patient=jane, doctor=smith, contact_phone="+49 30 7654321")
    appointments.update(visit, by=smith, doctor_notes=f"{STAFF_ONLY} of the appointment")
    consultation = add_parts(make_consultation(appointment=visit))
    services.update_text(
        consultation, by=smith, diagnosis="Gout", doctor_notes=f"{STAFF_ONLY} of the visit"
    )
    services.add_note(
        consultation, by=smith, note_type="general", content=f"{STAFF_ONLY}, alone", is_private=True
    )
    services.set_active(consultation.prescriptions.get(), by=smith, is_active=False)
    grant_emergency_access(jane, by=meyer, reason="Unconscious in the emergency room")
    open_session(jane, request=RequestFactory(headers={"User-Agent": "Firefox"}).get("/"))
    lockout.attempt_for(jane.username, "203.0.113.5").consume()
    IdempotencyKey.objects.create(user=jane, key="of-jane")
    invite(jane)
    for record in (jane, User.objects.get(pk=jane.pk), visit):
        LogEntry.objects.log_actions(ada.pk, [record], action_flag=2, single_object=True)
    data(api(smith, REMOTE_ADDR=BY_STAFF).get(f"/api/consultations/{consultation.pk}/"))
    return consultation


@pytest.fixture
def of_omar(omar, smith):
    """The same data of another patient, with different values."""
    visit = make_appointment(patient=omar, doctor=smith, reason_for_visit="zq7omar")
    return add_parts(make_consultation(appointment=visit))


@pytest.fixture
def archive(jane, tmp_path):
    """Returns the files of the command's archive of Jane, as {name: content}."""

    def export(*options):
        path = tmp_path / "jane.zip"
        call_command("export_patient", str(jane.pk), str(path), *options)
        with ZipFile(path) as file:
            assert file.testzip() is None
            contents = {name: file.read(name) for name in file.namelist()}
        return {
            name: json.loads(content) if name.endswith(".json") else content
            for name, content in contents.items()
        }

    return export


def models_of(held):
    yield held.model
    for part in held.parts.values():
        yield from models_of(part)


def all_exported():
    return {model for held in EXPORTED_MODELS.values() for model in models_of(held)}


def models_related_to_users():
    """Returns every model with a direct or indirect foreign key to a user."""
    reached = {User}
    everything = {one._meta.concrete_model for one in apps.get_models(include_auto_created=True)}
    while more := {
        model
        for model in everything - reached
        if any(field.related_model in reached or _is_user(field.related_model)
               for field in model._meta.concrete_fields if field.is_relation)
    }:  # fmt: skip
        reached |= more
    return reached


def _is_user(model):
    return model is not None and issubclass(model, User)


def test_every_model_related_to_a_patient_is_exported_or_excluded():
    held = {model._meta.concrete_model for model in all_exported()}
    elsewhere = {
        LogEntry,  # by an admin; entries about the patient are in desk-log.json
        TimeSlot,  # belongs to a doctor; the appointment has a copy of its times
    }

    assert models_related_to_users() == held | elsewhere


def test_every_field_is_exported_except_the_password(archive, full):
    files = archive()

    for name, held in EXPORTED_MODELS.items():
        fields = {field.name for field in held.model._meta.concrete_fields}
        for row in files[f"{name}.json"]:
            assert set(row) == fields - {"password"} | set(held.parts), name
            for part, of_part in held.parts.items():
                names = {field.name for field in of_part.model._meta.concrete_fields}
                assert all(set(one) == names for one in row[part]), part


def test_everything_about_the_patient_is_exported_and_nothing_about_others(
    archive, full, of_omar, jane, smith
):
    files = archive()

    assert [name for name, rows in files.items() if not rows] == []
    [record] = files["record.json"]
    assert (record["id"], record["phone"], record["allergies"]) == (
        jane.pk,
        "+49 30 7777777",
        "Penicillin, peanuts",
    )
    assert [version["phone"] for version in files["record-versions.json"]] == [
        "+49 30 1234567",
        record["phone"],
    ]
    [visit] = files["appointments.json"]
    assert visit["contact_phone"] == "+49 30 7654321"
    assert [one["action"] for one in visit["history"]] == ["book", "updated"]
    [consultation] = files["consultations.json"]
    assert (consultation["id"], consultation["diagnosis"]) == (full.pk, "Gout")
    assert [one["systolic_bp"] for one in consultation["vital_signs"]] == [120]
    assert [one["medication_name"] for one in consultation["prescriptions"]] == ["Ramipril"]
    assert [one["is_private"] for one in consultation["notes"]] == [False, True, True]
    assert [one["diagnosis"] for one in files["consultation-versions.json"]] == ["", "Gout"]
    assert [one["is_active"] for one in files["prescription-versions.json"]] == [True, False]
    assert len(files["vital-signs-versions.json"]) == 1
    assert len(files["note-versions.json"]) == 3
    assert [one["reason"] for one in files["emergency-access.json"]] == [
        "Unconscious in the emergency room"
    ]
    assert [one["user_agent"] for one in files["sessions.json"]] == ["Firefox"]
    assert [one["key"] for one in files["idempotency-keys.json"]] == ["of-jane"]
    assert [one["failures"] for one in files["failed-sign-ins.json"]] == [1]
    changed_in_the_admin = [jane.pk, jane.pk, full.appointment_id]
    assert [int(one["object_id"]) for one in files["desk-log.json"]] == changed_in_the_admin
    assert {"id": smith.pk, "name": "John Smith", "role": "doctor"} in files["people.json"]
    assert files["picture.webp"] == image_bytes()
    assert "zq7omar" not in str(files)
    assert {one["patient"] for one in files["consultations.json"]} == {jane.pk}


def test_the_access_log_contains_audit_events_about_and_by_the_patient(
    archive, full, of_omar, jane
):
    events = {event["event"]: event for event in archive()["access-log.json"]}

    assert events["consultation.retrieve"]["address"] == BY_STAFF
    assert events["consultation.retrieve"]["patients"] == [jane.pk]
    assert events["session.open"]["actor"] == jane.pk
    assert all(jane.pk in [*one["patients"], one["actor"]] for one in events.values())


def test_the_clinic_copy_contains_staff_notes_and_says_so_first(archive, full, ada):
    files = archive("--by", ada.username.upper())

    assert {name for name, rows in files.items() if STAFF_ONLY in str(rows)} == {
        "appointments.json",
        "consultations.json",
        "consultation-versions.json",
        "note-versions.json",
    }
    readme = files["README.txt"].decode()
    assert "CLINIC'S OWN COPY" in readme[:100]
    assert f"by Ada Admin (number {ada.pk})" in readme
    assert f"{timezone.now():%Y-%m-%d}" in readme
    assert [name for name in files if name != "README.txt" and f"\n{name} " not in readme] == []


def test_the_patient_copy_contains_nothing_hidden_from_patients(archive, full, jane, smith):
    files = archive("--for-patient")

    whole = str(files)
    assert STAFF_ONLY not in whole
    assert "doctor_notes" not in whole
    assert BY_STAFF not in whole
    assert "Worried" not in whole  # the other private note
    assert Session.objects.get(user=jane).jti not in whole
    assert "CLINIC'S OWN COPY" not in files["README.txt"].decode()
    assert [one["content"] for one in files["consultations.json"][0]["notes"]] == ["Rest"]
    assert [one["content"] for one in files["note-versions.json"]] == ["Rest"]
    assert files["consultations.json"][0]["diagnosis"] == "Gout"
    assert [one["action"] for one in files["appointments.json"][0]["history"]] == ["book"]
    assert {"id": smith.pk, "name": "John Smith", "role": "doctor"} in files["people.json"]
    assert not {"desk-log.json", "idempotency-keys.json", "failed-sign-ins.json"} & set(files)


def test_the_access_log_in_the_patient_copy_equals_that_of_the_api(api, archive, full, jane):
    AuditEvent.objects.create(event="turned.away", outcome="refused", patients=[jane.pk])

    shown = archive("--for-patient")["access-log.json"]
    listed = data(api(jane).get(f"/api/patients/{jane.pk}/access-log/?page_size=100"))["results"]

    assert shown == listed[1:]  # the export itself was audited later


def test_a_deactivated_patient_is_exported(archive, full, jane, ada):
    deactivate(jane, by=ada)

    [record] = archive()["record.json"]

    assert (record["is_active"], record["first_name"]) == (False, "Jane")


def test_an_empty_record_is_exported(archive, jane):
    files = archive()

    assert [one["first_name"] for one in files["record.json"]] == ["Jane"]
    assert "picture.webp" not in files


def test_a_missing_image_file_does_not_stop_the_export(archive, full, jane, settings):
    jane.refresh_from_db()
    (settings.MEDIA_ROOT / jane.avatar.name).unlink()

    files = archive()

    assert "picture.webp" not in files
    assert len(files["consultations.json"]) == 1


def test_the_export_is_audited(archive, jane, ada):
    archive("--by", ada.username)

    event = AuditEvent.objects.first()
    assert (event.event, event.action, event.actor, event.role) == (
        "patient.export",
        Action.READ,
        ada.pk,
        "admin",
    )
    assert (event.patients, event.records) == ([jane.pk], [f"patient/{jane.pk}"])


def test_the_archive_is_readable_by_its_owner_only(jane, tmp_path):
    path = tmp_path / "jane.zip"

    call_command("export_patient", str(jane.pk), str(path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_file_is_not_overwritten(jane, tmp_path):
    path = tmp_path / "jane.zip"
    path.write_text("of somebody else")

    with pytest.raises(CommandError, match="already exists"):
        call_command("export_patient", str(jane.pk), str(path))

    assert path.read_text() == "of somebody else"
    assert not AuditEvent.objects.filter(event="patient.export").exists()


def test_a_failed_export_leaves_no_partial_file(jane, tmp_path, settings):
    path = tmp_path / "jane.zip"
    jane.avatar.save("face.webp", ContentFile(b"x"))
    image_bytes = settings.MEDIA_ROOT / jane.avatar.name
    image_bytes.unlink()
    image_bytes.mkdir()  # exists, but cannot be read

    with pytest.raises(CommandError, match="could not be written"):
        call_command("export_patient", str(jane.pk), str(path))

    assert not path.exists()


def test_only_patients_are_exported(smith, tmp_path):
    path = tmp_path / "nobody.zip"

    for number, why in [
        (smith.pk, "is not a patient but: Doctor"),
        (999999, "There is no patient"),
    ]:
        with pytest.raises(CommandError, match=why):
            call_command("export_patient", str(number), str(path))

    assert not path.exists()


@pytest.mark.parametrize("username", ["nobody", "smith", "gone"])
def test_only_an_admin_can_export(jane, smith, tmp_path, username):
    User.objects.filter(pk=smith.pk).update(username="smith")
    AdminFactory(username="gone", is_active=False)

    with pytest.raises(CommandError, match="no active administrator"):
        call_command("export_patient", str(jane.pk), str(tmp_path / "x.zip"), "--by", username)


@requires_postgresql
def test_the_export_reads_a_consistent_snapshot(full, jane, tmp_path, outsider):
    """Another connection commits a diagnosis between two queries of the export."""
    path = tmp_path / "jane.zip"
    rows = Consultation.objects.filter(pk=full.pk)

    def commit_diagnosis(execute, sql, params, many, context):
        if 'FROM "appointments_appointment"' in sql:
            with outsider.cursor() as cursor:
                cursor.execute("UPDATE consultations_consultation SET diagnosis = 'Late'")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(commit_diagnosis):
        export(jane, path)

    with ZipFile(path) as file:
        [consultation] = json.loads(file.read("consultations.json"))
    assert consultation["diagnosis"] == "Gout"
    assert rows.get().diagnosis == "Late"
