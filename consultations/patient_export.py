"""Everything the clinic holds on one patient, as one archive."""

import json
from collections import defaultdict
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

from django.contrib.admin.models import LogEntry
from django.db.models import ForeignKey, Model, Q

from accounts.audit import log as audit
from accounts.models import (
    Action,
    AuditEvent,
    IdempotencyKey,
    LoginCounter,
    Outcome,
    Session,
    User,
)
from appointments import clock
from appointments.models import Appointment, AppointmentHistory
from config.db.transactions import repeatable_read
from config.files import create_private_file
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns
from patients.models import EmergencyAccess, Patient
from patients.serializers import AccessLogSerializer

SECRET = {"password"}
NOT_FOR_PATIENTS = {"doctor_notes", "jti", "rotated"}  # what no door shows them


class ExportedModel(NamedTuple):
    """Rows of `model`, which leads to the patient by `path`, each with its `parts`."""

    model: type[Model]
    path: str
    says: str = ""
    parts: dict = {}
    is_for_patients: bool = True

    @property
    def fields(self):
        return [one for one in self.model._meta.concrete_fields if one.name not in SECRET]

    @property
    def whole(self):
        """The field by which a part names what it is a part of."""
        return self.path.partition("__")[0]


EXPORTED_MODELS = {
    "record": ExportedModel(
        Patient,
        "pk",
        "The record and the account.",
        parts={
            "groups": ExportedModel(User.groups.through, "user"),
            "user_permissions": ExportedModel(User.user_permissions.through, "user"),
        },
    ),
    "record-versions": ExportedModel(
        User.history.model, "id", "The record as it was after each change."
    ),
    "appointments": ExportedModel(
        Appointment,
        "patient",
        "Appointments, each with what happened to it.",
        parts={"history": ExportedModel(AppointmentHistory, "appointment__patient")},
    ),
    "consultations": ExportedModel(
        Consultation,
        "patient",
        "Consultations, each with its vital signs, prescriptions and notes.",
        parts={
            "vital_signs": ExportedModel(VitalSigns, "consultation__patient"),
            "prescriptions": ExportedModel(Prescription, "consultation__patient"),
            "notes": ExportedModel(ConsultationNote, "consultation__patient"),
        },
    ),
    "consultation-versions": ExportedModel(
        Consultation.history.model, "patient", "Consultations as they were after each change."
    ),
    "vital-signs-versions": ExportedModel(
        VitalSigns.history.model, "consultation__patient", "Vital signs likewise."
    ),
    "prescription-versions": ExportedModel(
        Prescription.history.model, "consultation__patient", "Prescriptions likewise."
    ),
    "note-versions": ExportedModel(
        ConsultationNote.history.model, "consultation__patient", "Notes likewise."
    ),
    "emergency-access": ExportedModel(
        EmergencyAccess, "patient", "Doctors who read the record in an emergency, and why."
    ),
    "sessions": ExportedModel(Session, "user", "Sign-ins: when, from where and with what program."),
    "idempotency-keys": ExportedModel(
        IdempotencyKey,
        "user",
        "Marks of requests of the last day, by which one sent twice is done once.",
        is_for_patients=False,
    ),
    "failed-sign-ins": ExportedModel(
        LoginCounter, "user", "How often a wrong password was given.", is_for_patients=False
    ),
}
DESK_LOG = "Changes made in the staff admin, as its own log has them."
ACCESS_LOG = "Who read or changed anything of this, and when."
PEOPLE = "The names of those whom the other files name by number."
PICTURE = "The patient's picture."

README = """\
PATIENT {number}

{warning}

Made on {now:%Y-%m-%d} at {now:%H:%M:%S} UTC by {by}; all of it is as it was at one moment.

Each .json file is a list of rows. "id" is the number of a row; a field with the name of another
thing holds the number of that one. Instants say how far they are from UTC. Versions have
history_date (when), history_user (by whom) and history_type (+ made, ~ changed).

{files}
"""
FOR_THE_CLINIC = """\
!!! THE CLINIC'S OWN COPY. It holds what patients are not shown: private notes, doctor's notes,
!!! network addresses of staff and, in the access log, numbers of other patients. Do not hand it
!!! out: --for-patient makes a copy for the patient."""
FOR_THE_PATIENT = """\
The patient's copy, without what the platform shows to staff alone: private notes, doctor's notes
(and the versions of both), network addresses of staff and technical marks of the account."""


def export(patient, path, *, by=None, for_patient=False):
    """Write a new archive, for the clinic or for its patient, that only its owner may read.

    FileExistsError where there is something at that path. The audit knows of it before it is there.
    """
    with create_private_file(path, "wb") as file:
        contents = _collect(patient.pk, by=by, for_patient=for_patient)
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)


@repeatable_read
def _collect(number, *, by, for_patient):
    """{name: content} of the files of the archive."""
    patient, reading = Patient.objects.get(pk=number), ExportReader(for_patient)
    files = {
        name: (held.says, reading.rows(held, number))
        for name, held in EXPORTED_MODELS.items()
        if held.is_for_patients or not for_patient
    }
    if not for_patient:
        files["desk-log"] = DESK_LOG, reading.admin_log()
    files["access-log"] = ACCESS_LOG, reading.access_log(number)
    files["people"] = PEOPLE, reading.people()
    says = {f"{name}.json": text for name, (text, _) in files.items()}
    contents = {f"{name}.json": _as_json(rows) for name, (_, rows) in files.items()}
    if patient.avatar and patient.avatar.storage.exists(patient.avatar.name):
        with patient.avatar.open() as picture:
            says["picture.webp"], contents["picture.webp"] = PICTURE, picture.read()
    audit.record_change("patient.export", patient, by=by, action=Action.READ)
    return {"README.txt": _readme(number, by, for_patient, says)} | contents


class ExportReader:
    """What is read for one copy; it keeps in mind which rows were, and whom they name."""

    def __init__(self, for_patient):
        self.for_patient = for_patient
        self.read, self.named = defaultdict(set), set()

    def rows(self, held, number):
        rows = held.model._base_manager.filter(**{held.path: number})
        fields = held.fields
        if self.for_patient:
            fields = [field for field in fields if field.name not in NOT_FOR_PATIENTS]
            if any(field.name == "is_private" for field in fields):
                rows = rows.filter(is_private=False)
        rows = list(rows.order_by("pk").values(*(field.name for field in fields)))
        self._note(held.model, fields, rows)
        if self.for_patient:
            rows = [row for row in map(self._shown, rows) if row]
        for name, part in held.parts.items():
            parts = defaultdict(list)
            for row in self.rows(part, number):
                parts[row[part.whole]].append(row)
            for row in rows:
                row[name] = parts[row["id"]]
        return rows

    def _note(self, model, fields, rows):
        self.read[model].update(row.get("id") for row in rows)
        for field in fields:
            if isinstance(field, ForeignKey) and issubclass(field.related_model, User):
                self.named.update(row[field.name] for row in rows)

    def _shown(self, row):
        """What a patient is told: nothing of notes he may not read; None for a change of those."""
        if not row.get("changes"):
            return row
        changes = [one for one in row["changes"] if one not in NOT_FOR_PATIENTS]
        return row | {"changes": changes} if changes else None

    def admin_log(self):
        about = Q()
        for model, ids in [*self.read.items(), (User, self.read[Patient])]:
            about |= Q(
                content_type__app_label=model._meta.app_label,
                content_type__model=model._meta.model_name,
                object_id__in=[str(pk) for pk in ids],
            )
        entries = LogEntry.objects.filter(about).order_by("pk").values()
        self.named.update(entry["user_id"] for entry in entries)
        return list(entries)

    def access_log(self, number):
        """All that is about the patient or was done by him; a patient's copy as the API has it."""
        about = AuditEvent.objects.about(number)
        if self.for_patient:
            shown = about.filter(outcome=Outcome.SUCCESS).with_actor_name()
            return AccessLogSerializer(shown, many=True).data
        events = (about | AuditEvent.objects.filter(actor=number)).order_by("pk").values()
        self.named.update(event["actor"] for event in events)
        return list(events)

    def people(self):
        people = User.objects.filter(pk__in=self.named - {None}).order_by("pk")
        return [{"id": one.pk, "name": one.full_name, "role": one.user_type} for one in people]


def _as_json(rows):
    return json.dumps(rows, ensure_ascii=False, indent=1, default=_plain)


def _plain(value):
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _readme(number, by, for_patient, says):
    width = max(map(len, says))
    return README.format(
        number=number,
        warning=FOR_THE_PATIENT if for_patient else FOR_THE_CLINIC,
        now=clock.now(),
        by=f"{by.full_name} (number {by.pk})" if by else "whoever runs commands on the server",
        files="\n".join(f"{name:<{width}}  {text}" for name, text in says.items()),
    )
