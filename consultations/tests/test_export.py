"""Everything the clinic holds on a patient in one archive, and nothing of anybody else."""

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
from accounts.services import update_profile
from accounts.tests.factories import AdminFactory
from accounts.tests.helpers import data, on_postgresql, picture
from appointments import services as appointments
from appointments.models import TimeSlot
from appointments.tests.factories import an_appointment
from consultations import services
from consultations.models import Consultation
from consultations.patient_export import EXPORTED_MODELS, export
from consultations.tests.factories import a_consultation, with_parts
from patients.services import deactivate, grant_emergency_access

pytestmark = pytest.mark.django_db(transaction=True)

STAFF_ONLY = "zq7staff"  # in what patients are not shown
BY_STAFF = "198.51.100.7"


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def full(api, jane, smith, meyer, ada):
    """Jane's record, with a row of everything there is; her consultation."""
    image = ContentFile(picture(), name="face.webp")
    update_profile(jane, by=ada, phone="+49 30 1234567", avatar=image)
    visit = an_appointment(patient=jane, doctor=smith, contact_phone="+49 30 7654321")
    appointments.update(visit, by=smith, doctor_notes=f"{STAFF_ONLY} of the appointment")
    room = with_parts(a_consultation(appointment=visit))
    services.update_text(
        room, by=smith, diagnosis="Gout", doctor_notes=f"{STAFF_ONLY} of the visit"
    )
    services.add_note(
        room, by=smith, note_type="general", content=f"{STAFF_ONLY}, alone", is_private=True
    )
    services.set_active(room.prescriptions.get(), by=smith, is_active=False)
    grant_emergency_access(jane, by=meyer, reason="Unconscious in the emergency room")
    open_session(jane, request=RequestFactory(headers={"User-Agent": "Firefox"}).get("/"))
    lockout.attempt_for(jane.username, "203.0.113.5").consume()
    IdempotencyKey.objects.create(user=jane, key="of-jane")
    for record in (jane, User.objects.get(pk=jane.pk), visit):
        LogEntry.objects.log_actions(ada.pk, [record], action_flag=2, single_object=True)
    data(api(smith, REMOTE_ADDR=BY_STAFF).get(f"/api/consultations/{room.pk}/"))
    return room


@pytest.fixture
def of_omar(omar, smith):
    """The same of another patient, in which nothing is like Jane's."""
    visit = an_appointment(patient=omar, doctor=smith, reason_for_visit="zq7omar")
    return with_parts(a_consultation(appointment=visit))


@pytest.fixture
def archive(jane, tmp_path):
    """{name: content} of the archive that the command makes of Jane."""

    def made(*options):
        path = tmp_path / "jane.zip"
        call_command("export_patient", str(jane.pk), str(path), *options)
        with ZipFile(path) as file:
            assert file.testzip() is None
            contents = {name: file.read(name) for name in file.namelist()}
        return {
            name: json.loads(content) if name.endswith(".json") else content
            for name, content in contents.items()
        }

    return made


def models_of(held):
    yield held.model
    for part in held.parts.values():
        yield from models_of(part)


def every_held():
    return {model for held in EXPORTED_MODELS.values() for model in models_of(held)}


def models_that_lead_to_people():
    """Every model from which foreign keys lead to a person, by whatever way."""
    reached = {User}
    everything = {one._meta.concrete_model for one in apps.get_models(include_auto_created=True)}
    while more := {
        model
        for model in everything - reached
        if any(field.related_model in reached or _is_person(field.related_model)
               for field in model._meta.concrete_fields if field.is_relation)
    }:  # fmt: skip
        reached |= more
    return reached


def _is_person(model):
    return model is not None and issubclass(model, User)


def test_no_model_that_leads_to_a_patient_is_forgotten():
    held = {model._meta.concrete_model for model in every_held()}
    elsewhere = {
        LogEntry,  # by an admin; those about the patient are in desk-log.json
        TimeSlot,  # a doctor's; the appointment has copied its times
    }

    assert models_that_lead_to_people() == held | elsewhere


def test_no_field_is_forgotten_but_the_password(archive, full):
    files = archive()

    for name, held in EXPORTED_MODELS.items():
        fields = {field.name for field in held.model._meta.concrete_fields}
        for row in files[f"{name}.json"]:
            assert set(row) == fields - {"password"} | set(held.parts), name
            for part, of_part in held.parts.items():
                names = {field.name for field in of_part.model._meta.concrete_fields}
                assert all(set(one) == names for one in row[part]), part


def test_everything_is_there_and_nothing_of_anybody_else(archive, full, of_omar, jane, smith):
    files = archive()

    assert [name for name, rows in files.items() if not rows] == []
    [record] = files["record.json"]
    assert (record["id"], record["phone"], record["allergies"]) == (
        jane.pk,
        "+49 30 1234567",
        "Penicillin, peanuts",
    )
    assert [version["phone"] for version in files["record-versions.json"]] == ["", record["phone"]]
    [visit] = files["appointments.json"]
    assert visit["contact_phone"] == "+49 30 7654321"
    assert [one["action"] for one in visit["history"]] == ["book", "updated"]
    [room] = files["consultations.json"]
    assert (room["id"], room["diagnosis"]) == (full.pk, "Gout")
    assert [one["systolic_bp"] for one in room["vital_signs"]] == [120]
    assert [one["medication_name"] for one in room["prescriptions"]] == ["Ramipril"]
    assert [one["is_private"] for one in room["notes"]] == [False, True, True]
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
    changed_at_the_desk = [jane.pk, jane.pk, full.appointment_id]
    assert [int(one["object_id"]) for one in files["desk-log.json"]] == changed_at_the_desk
    assert {"id": smith.pk, "name": "John Smith", "role": "doctor"} in files["people.json"]
    assert files["picture.webp"] == picture()
    assert "zq7omar" not in str(files)
    assert {one["patient"] for one in files["consultations.json"]} == {jane.pk}


def test_the_access_log_is_the_audit_about_the_patient_and_by_her(archive, full, of_omar, jane):
    events = {event["event"]: event for event in archive()["access-log.json"]}

    assert events["consultation.retrieve"]["address"] == BY_STAFF
    assert events["consultation.retrieve"]["patients"] == [jane.pk]
    assert events["session.open"]["actor"] == jane.pk
    assert all(jane.pk in [*one["patients"], one["actor"]] for one in events.values())


def test_the_clinic_s_copy_has_the_notes_of_the_staff_and_says_so_first(archive, full, ada):
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


def test_the_patient_s_copy_has_nothing_that_patients_are_not_shown(archive, full, jane, smith):
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


def test_the_patient_s_access_log_is_the_one_the_api_shows(api, archive, full, jane):
    AuditEvent.objects.create(event="turned.away", outcome="refused", patients=[jane.pk])

    shown = archive("--for-patient")["access-log.json"]
    listed = data(api(jane).get(f"/api/patients/{jane.pk}/access-log/?page_size=100"))["results"]

    assert shown == listed[1:]  # the export itself came after


def test_a_closed_record_is_exported_too(archive, full, jane, ada):
    deactivate(jane, by=ada)

    [record] = archive()["record.json"]

    assert (record["is_active"], record["first_name"]) == (False, "Jane")


def test_an_empty_record_is_exported_too(archive, jane):
    files = archive()

    assert [one["first_name"] for one in files["record.json"]] == ["Jane"]
    assert "picture.webp" not in files


def test_a_picture_that_was_lost_does_not_keep_the_rest_back(archive, full, jane, settings):
    jane.refresh_from_db()
    (settings.MEDIA_ROOT / jane.avatar.name).unlink()

    files = archive()

    assert "picture.webp" not in files
    assert len(files["consultations.json"]) == 1


def test_the_audit_knows_who_exported_whom(archive, jane, ada):
    archive("--by", ada.username)

    event = AuditEvent.objects.first()
    assert (event.event, event.action, event.actor, event.role) == (
        "patient.export",
        Action.READ,
        ada.pk,
        "admin",
    )
    assert (event.patients, event.records) == ([jane.pk], [f"patient/{jane.pk}"])


def test_nobody_else_on_the_machine_may_read_it(jane, tmp_path):
    path = tmp_path / "jane.zip"

    call_command("export_patient", str(jane.pk), str(path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_there_is_left_alone(jane, tmp_path):
    path = tmp_path / "jane.zip"
    path.write_text("of somebody else")

    with pytest.raises(CommandError, match="already exists"):
        call_command("export_patient", str(jane.pk), str(path))

    assert path.read_text() == "of somebody else"
    assert not AuditEvent.objects.filter(event="patient.export").exists()


def test_where_it_cannot_be_written_no_half_of_it_stays(jane, tmp_path, settings):
    path = tmp_path / "jane.zip"
    jane.avatar.save("face.webp", ContentFile(b"x"))
    picture = settings.MEDIA_ROOT / jane.avatar.name
    picture.unlink()
    picture.mkdir()  # cannot be read, though it is there

    with pytest.raises(CommandError, match="could not be written"):
        call_command("export_patient", str(jane.pk), str(path))

    assert not path.exists()


def test_only_patients_have_a_record_to_export(smith, tmp_path):
    path = tmp_path / "nobody.zip"

    for number, why in [
        (smith.pk, "is not a patient but: Doctor"),
        (999999, "There is no patient"),
    ]:
        with pytest.raises(CommandError, match=why):
            call_command("export_patient", str(number), str(path))

    assert not path.exists()


@pytest.mark.parametrize("username", ["nobody", "smith", "gone"])
def test_only_an_administrator_asks_for_it(jane, smith, tmp_path, username):
    User.objects.filter(pk=smith.pk).update(username="smith")
    AdminFactory(username="gone", is_active=False)

    with pytest.raises(CommandError, match="no active administrator"):
        call_command("export_patient", str(jane.pk), str(tmp_path / "x.zip"), "--by", username)


@on_postgresql
def test_what_is_written_while_it_reads_belongs_to_the_next_one(full, jane, tmp_path, outsider):
    """Somebody commits a new diagnosis after the record was read, before the consultations are."""
    path = tmp_path / "jane.zip"
    rows = Consultation.objects.filter(pk=full.pk)

    def meanwhile(execute, sql, params, many, context):
        if 'FROM "appointments_appointment"' in sql:
            with outsider.cursor() as cursor:
                cursor.execute("UPDATE consultations_consultation SET diagnosis = 'Late'")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(meanwhile):
        export(jane, path)

    with ZipFile(path) as file:
        [room] = json.loads(file.read("consultations.json"))
    assert room["diagnosis"] == "Gout"
    assert rows.get().diagnosis == "Late"
