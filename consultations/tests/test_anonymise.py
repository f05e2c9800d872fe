"""A patient's record without the patient: nobody can tell any more whose it was."""

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
from accounts.services import PERSONAL_FIELDS, update_profile
from accounts.tests.factories import PASSWORD
from accounts.tests.helpers import picture
from appointments import services as appointments
from appointments.lifecycle import Status
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import an_appointment
from appointments.tests.helpers import code, snapshot
from consultations import services
from consultations.models import Consultation, ConsultationNote, Prescription
from consultations.tests.factories import MEDICATION
from patients.models import Patient
from patients.services import anonymise, deactivate, reactivate
from patients.signals import patient_anonymised

pytestmark = pytest.mark.django_db

WHO = "zq7who"  # in whatever says who the patient is
PHONE = "+49 7077 8899"
BORN = date(1931, 2, 3)
ADDRESS = "203.0.113.77"
WHAT = "zq7what"  # in whatever says what was found and done
ANYTHING_OF_WHO = (WHO, "7077 8899", str(BORN), ADDRESS)

# Of a person's account, what says nothing of who it is.
NOT_IDENTIFYING = {
    "id", "user_type", "gender", "specialization", "license_verified", "medical_history",
    "allergies", "is_active", "is_staff", "is_superuser", "last_login", "created_at", "updated_at",
    "sessions_ended_at", "version",
}  # fmt: skip


@pytest.fixture(autouse=True)
def media(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "media"
    return settings.MEDIA_ROOT


def of_patient(field):
    """A value for a field of the account that says who it is."""
    if field.name == "date_of_birth":
        return BORN
    if field.name == "avatar":
        return ContentFile(picture(), name="face.webp")
    if "phone" in field.name:
        return f"{PHONE} {len(field.name)}"
    return f"{WHO}.{field.name}@example.com" if field.name == "email" else f"{WHO} {field.name}"


def texts(model, *without):
    """A text of what was found for every field of the model that takes any."""
    return {
        field.name: f"{WHAT} {field.name}"
        for field in model._meta.concrete_fields
        if isinstance(field, CharField | TextField)
        and not field.choices
        and field.name not in without
    }


@pytest.fixture
def jane(jane, ada):
    """Two versions of all that says who she is, and two of her medical history."""
    fields = {name: of_patient(User._meta.get_field(name)) for name in PERSONAL_FIELDS}
    User.objects.filter(pk=jane.pk).update(username=f"{WHO}.jane")
    for _ in range(2):
        jane = update_profile(jane, by=ada, medical_history=f"{WHAT} before", **fields)
        fields = {name: of_patient(User._meta.get_field(name)) for name in PERSONAL_FIELDS}
        fields["last_name"] = f"{WHO} married"
    return update_profile(jane, by=ada, medical_history=WHAT, allergies=WHAT)


@pytest.fixture
def visit(jane, smith, ada):
    """A visit that is over, with texts wherever there can be any, and what it left in the logs."""
    visit = an_appointment(
        patient=jane,
        doctor=smith,
        contact_phone=PHONE,
        **texts(Appointment, "contact_phone", "status"),
    )
    appointments.move(visit, "confirm", by=smith, reason=WHAT)
    room = services.open_for(visit, by=smith)
    services.update_text(room, by=smith, **texts(Consultation))
    services.update_text(room, by=smith, diagnosis=f"{WHAT} after all")
    services.prescribe(room, by=smith, **MEDICATION | texts(Prescription, "medication_type"))
    services.add_note(room, by=smith, note_type="plan", **texts(ConsultationNote))
    services.complete(room, by=smith)
    where = RequestFactory(headers={"User-Agent": WHO}, REMOTE_ADDR=ADDRESS).get("/")
    open_session(jane, request=where)
    IdempotencyKey.objects.create(user=jane, key=WHO)
    lockout.attempt_for(jane.username, None).consume()
    visit.refresh_from_db()
    for record in (User.objects.get(pk=jane.pk), jane, visit, room):  # as Django names them
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


def places_of(*words):
    """Every place in the database where one of the words stands, as "table.column"."""
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


def test_every_field_of_an_account_is_kept_or_taken_out_on_purpose():
    fields = {field.name for field in User._meta.concrete_fields}

    assert fields == {*PERSONAL_FIELDS, "username", "password"} | NOT_IDENTIFYING


def test_nothing_in_the_database_says_who_it_was_and_all_that_was_found_is_there(jane, visit):
    who, what = places_of(*ANYTHING_OF_WHO), places_of(WHAT)
    assert {f"accounts_user.{name}" for name in [*PERSONAL_FIELDS, "username"]} - who == {
        "accounts_user.avatar"  # a name of its own
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

    assert places_of(*ANYTHING_OF_WHO) == set()
    assert places_of(WHAT) == what


def test_no_version_of_it_is_left_either_nor_lost(jane, visit, ada):
    before = User.history.filter(id=jane.pk).count()

    anonymise(jane, by=ada)

    versions = User.history.filter(id=jane.pk).order_by("history_id")
    assert versions.count() == before + 2  # closed, and anonymous
    assert {one.username for one in versions} == {f"anonymised {jane.pk}"}
    assert {one.medical_history for one in versions} == {"", f"{WHAT} before", WHAT}
    assert versions.last().history_user == ada


def test_the_texts_of_the_visit_and_its_history_are_as_they_were(jane, visit, ada):
    models = [
        AppointmentHistory, Consultation, Consultation.history.model, Prescription,
        Prescription.history.model, ConsultationNote, ConsultationNote.history.model,
    ]  # fmt: skip
    before = snapshot(*models)

    anonymise(jane, by=ada)

    assert snapshot(*models) == before


def test_coming_appointments_are_cancelled_in_the_name_of_who_decided_it(jane, smith, ada):
    coming = an_appointment(patient=jane, doctor=smith)

    run(jane, "--yes")

    coming.refresh_from_db()
    assert coming.status == Status.CANCELLED
    assert coming.history.last().changed_by == ada
    assert Patient.objects.get(pk=jane.pk).is_active is False


def test_a_phone_number_that_goes_is_a_new_version_of_its_appointment(jane, visit, ada):
    anonymise(jane, by=ada)

    after = Appointment.objects.get(pk=visit.pk)
    assert (after.contact_phone, after.version) == ("", visit.version + 1)


def test_pictures_are_deleted_with_those_that_earlier_versions_name(
    jane, ada, media, django_capture_on_commit_callbacks
):
    earlier = media / "avatars" / "left.webp"
    earlier.write_bytes(b"a face")
    User.history.filter(id=jane.pk).update(avatar="avatars/left.webp")
    assert (media / jane.avatar.name).exists()

    with django_capture_on_commit_callbacks() as callbacks:
        anonymise(jane, by=ada)
    assert earlier.exists()  # until it is committed
    for callback in callbacks:
        callback()

    assert not earlier.exists()
    assert not (media / jane.avatar.name).exists()


def test_nobody_signs_in_any_more(api, jane, visit, ada):
    jane.set_password(PASSWORD)
    jane.save()
    phone, name = api(jane), jane.username

    anonymise(jane, by=ada)

    jane.refresh_from_db()
    assert not LoginCounter.objects.filter(user=jane.pk).exists()
    assert not jane.has_usable_password()
    assert code(phone.get("/api/auth/profile/")) == (401, "token_invalid")
    for one in (name, jane.username):
        body = {"username": one, "password": PASSWORD}
        assert code(api().post("/api/auth/login/", body)) == (401, "invalid_credentials")
    assert not Session.objects.filter(user=jane.pk).exists()


def test_the_next_patient_may_have_the_name_and_the_address(jane, ada):
    anonymise(jane, by=ada)

    Patient.objects.create(username=f"{WHO}.jane", email=jane.email, user_type="patient")

    assert Patient.objects.count() == 2


def test_nobody_can_choose_the_name_that_stands_for_nobody(api, jane):
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

    assert code(response) == (400, "validation_error")


def test_the_record_is_neither_opened_nor_named_again(jane, ada):
    anonymise(jane, by=ada)
    before = snapshot(User, User.history.model)

    with pytest.raises(ValidationError, match="Nobody knows any more"):
        reactivate(jane)
    with pytest.raises(ValidationError, match="Nobody knows any more"):  # as one that had waited
        update_profile(jane, by=ada, first_name=WHO)

    assert snapshot(User, User.history.model) == before


def test_the_desk_is_told_so(client, jane, ada):
    anonymise(jane, by=ada)
    client.force_login(ada)

    page = client.post(
        f"/admin/patients/patient/{jane.pk}/change/",
        {"username": "jane", "first_name": WHO, "last_name": "Doe", "gender": "unknown"},
    )

    assert "Nobody knows any more whose record this was." in page.content.decode()
    assert places_of(WHO) == set()


def test_the_audit_tells_what_was_done_and_its_chain_holds(jane, visit, ada):
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


def test_the_constraints_hold(jane, omar, ada):
    anonymise(jane, by=ada)
    anonymise(omar, by=ada)

    connection.check_constraints()
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=omar.pk).update(username=f"ANONYMISED {jane.pk}")


def test_everything_is_undone_where_anything_fails(jane, visit, ada, media):
    before = snapshot(User, User.history.model, Appointment, Session, LogEntry, IdempotencyKey)

    def fail(sender, **kwargs):
        assert places_of(*ANYTHING_OF_WHO) == set()
        raise RuntimeError("the last receiver fails")

    patient_anonymised.connect(fail)
    try:
        with pytest.raises(RuntimeError, match="the last receiver fails"):
            anonymise(jane, by=ada)
    finally:
        patient_anonymised.disconnect(fail)

    after = snapshot(User, User.history.model, Appointment, Session, LogEntry, IdempotencyKey)
    assert after == before
    assert (media / jane.avatar.name).exists()


def test_nobody_else_is_touched(jane, omar, smith, ada, visit):
    an_appointment(patient=omar, doctor=smith, contact_phone="+49 30 111")
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


def test_a_second_time_changes_nothing_and_says_so(jane, visit, ada):
    assert run(jane, "--yes") == f"Patient {jane.pk} is anonymous now.\n"
    before = snapshot(User, User.history.model, AuditEvent)

    assert run(jane, "--yes") == f"Patient {jane.pk} is already anonymous.\n"
    anonymise(jane, by=ada)

    assert snapshot(User, User.history.model, AuditEvent) == before


def test_a_record_closed_long_ago_is_made_anonymous_too(jane, visit, ada):
    deactivate(jane, by=ada)

    run(jane, "--yes")

    assert places_of(*ANYTHING_OF_WHO) == set()


def test_it_asks_first(jane, ada, monkeypatch):
    before = snapshot(User, AuditEvent)

    for answer in ("\n", "yes\n", f"{jane.pk + 1}\n", ""):
        monkeypatch.setattr("sys.stdin", StringIO(answer))
        with pytest.raises(CommandError, match="Nothing was changed"):
            run(jane)
    assert snapshot(User, AuditEvent) == before

    monkeypatch.setattr("sys.stdin", StringIO(f"{jane.pk}\n"))
    assert run(jane).endswith("is anonymous now.\n")


def test_only_patients_can_leave_and_only_an_administrator_lets_them(jane, smith, ada):
    before = snapshot(User, AuditEvent)

    for person, by, why in [
        (smith, "ada", "is not a patient but: Doctor"),
        (ada, "ada", "is not a patient but: Admin"),
        (User(pk=999999), "ada", "There is no patient 999999"),
        (jane, smith.username, "no active administrator"),
        (jane, jane.username, "no active administrator"),
    ]:
        with pytest.raises(CommandError, match=why):
            run(person, "--yes", by=by)

    assert snapshot(User, AuditEvent) == before
