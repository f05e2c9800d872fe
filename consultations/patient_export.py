"""The patient export: everything the clinic holds on one patient, in one ZIP archive."""

import json
from collections import defaultdict
from typing import NamedTuple
from zipfile import ZIP_DEFLATED, ZipFile

from django.contrib.admin.models import LogEntry
from django.db.models import ForeignKey, Model, Q
from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.audit import log as audit
from accounts.models import (
    Action,
    AuditEvent,
    IdempotencyKey,
    LoginCounter,
    OutgoingMessage,
    Session,
    User,
)
from accounts.roles import UserType
from appointments import clock
from config.clinical_records import clinical_records
from config.db.querysets import hidden_fields
from config.db.transactions import repeatable_read
from config.files import create_private_file
from patients.models import Patient
from patients.serializers import AccessLogSerializer

SECRET = {"password"}


class ExportedModel(NamedTuple):
    """Rows of `model`, found by the lookup `path` from a row to its patient, with their `parts`.

    The patient's own copy leaves out the fields `hidden` and the rows `hidden_rows`.
    """

    model: type[Model]
    path: str
    description: str | Promise = ""
    parts: dict = {}
    hidden: frozenset = frozenset()
    hidden_rows: Q = Q(pk__in=[])
    is_for_patients: bool = True

    @property
    def fields(self):
        return [one for one in self.model._meta.concrete_fields if one.name not in SECRET]

    @property
    def parent_field(self):
        """The field of a part that holds the id of the row it belongs to."""
        return self.path.partition("__")[0]


def _exported(record, model, **options):
    """The rows of `model`, which is a registered model or holds its versions."""
    if hidden_rows := getattr(record.model, "hidden_rows", {}).get(UserType.PATIENT):
        options["hidden_rows"] = hidden_rows
    hidden = hidden_fields(record.model, UserType.PATIENT)
    return ExportedModel(model, record.patient, hidden=hidden, **options)


def _exported_rows(record):
    parts = {part.name: _exported_rows(part) for part in record.parts if not part.export}
    return _exported(record, record.model, description=record.exported, parts=parts)


def _exported_versions(record):
    text = gettext_lazy("{records}, as they were after each change.")
    description = format_lazy(text, records=record.title)
    return _exported(record, record.model.history.model, description=description)


def _clinical_files():
    """{file: ExportedModel} of the registered clinical records."""
    files = {}
    for record in clinical_records():
        if record.export:
            files[record.export] = _exported_rows(record)
        if record.versions:
            files[record.versions] = _exported_versions(record)
    return files


# The account of the patient: groups and permissions stand within the record.
ACCOUNT_PARTS = {
    "groups": ExportedModel(User.groups.through, "user"),
    "user_permissions": ExportedModel(User.user_permissions.through, "user"),
}
ACCOUNT_FILES = {
    "record-versions": ExportedModel(
        User.history.model, "id", gettext_lazy("The record as it was after each change.")
    ),
    "sessions": ExportedModel(
        Session,
        "user",
        gettext_lazy("Sign-ins: when, from where and with what program."),
        hidden=frozenset({"jti", "rotated"}),
    ),
    "idempotency-keys": ExportedModel(
        IdempotencyKey,
        "user",
        gettext_lazy("Keys of requests of the last day. A key keeps a request from running twice."),
        is_for_patients=False,
    ),
    "letters": ExportedModel(
        OutgoingMessage,
        "user",
        gettext_lazy("Letters of the last thirty days, without their texts."),
    ),
    "failed-sign-ins": ExportedModel(
        LoginCounter,
        "user",
        gettext_lazy("How often a wrong password was given."),
        is_for_patients=False,
    ),
}
EXPORTED_MODELS = _clinical_files() | ACCOUNT_FILES
EXPORTED_MODELS["record"].parts.update(ACCOUNT_PARTS)

ADMIN_LOG = gettext_lazy("Changes made in the staff admin, from the log of the admin.")
ACCESS_LOG = gettext_lazy("Who read or changed any of this, and when.")
PEOPLE = gettext_lazy("The names of the people whom the other files name by number.")
PICTURE = gettext_lazy("The patient's picture.")

README = gettext_lazy(
    """\
PATIENT {number}

{warning}

Made on {now:%Y-%m-%d} at {now:%H:%M:%S} UTC by {by}. All of it is as it was at one moment.

Each .json file is a list of rows. "id" is the number of a row. A field with the name of another
thing holds the number of that thing. Times include their distance from UTC. Versions have
history_date (when), history_user (by whom) and history_type (+ created, ~ changed).

{files}
"""
)
FOR_THE_CLINIC = gettext_lazy(
    """\
!!! THE CLINIC'S OWN COPY. It contains data that patients are not shown: private notes, doctor's
!!! notes, network addresses of staff and, in the access log, numbers of other patients. Do not
!!! give it away: --for-patient makes a copy for the patient."""
)
FOR_THE_PATIENT = gettext_lazy(
    """\
The patient's copy, without the data that only staff see: private notes, doctor's notes (and the
versions of both), network addresses of staff and technical marks of the account."""
)


def export(patient, path, *, by=None, for_patient=False):
    """Writes a new archive for the clinic, or for the patient, that only the file's owner can read.

    Raises FileExistsError if `path` exists. The audit event is written before the archive.
    """
    with create_private_file(path, "wb") as file:
        contents = _collect(patient.pk, by=by, for_patient=for_patient)
        with ZipFile(file, "w", ZIP_DEFLATED) as archive:
            for name, content in contents.items():
                archive.writestr(name, content)


@repeatable_read
def _collect(number, *, by, for_patient):
    """{name: content} of the files of the archive."""
    patient, reader = Patient.objects.get(pk=number), ExportReader(for_patient)
    files = {
        name: (exported.description, reader.rows(exported, number))
        for name, exported in EXPORTED_MODELS.items()
        if exported.is_for_patients or not for_patient
    }
    if not for_patient:
        files["desk-log"] = ADMIN_LOG, reader.admin_log()
    files["access-log"] = ACCESS_LOG, reader.access_log(number)
    files["people"] = PEOPLE, reader.people()
    descriptions = {f"{name}.json": str(text) for name, (text, _rows) in files.items()}
    contents = {f"{name}.json": _as_json(rows) for name, (_text, rows) in files.items()}
    if patient.avatar and patient.avatar.storage.exists(patient.avatar.name):
        with patient.avatar.open() as picture:
            descriptions["picture.webp"], contents["picture.webp"] = str(PICTURE), picture.read()
    audit.record_change("patient.export", patient, by=by, action=Action.READ)
    return {"README.txt": _readme(number, by, for_patient, descriptions)} | contents


class ExportReader:
    """Reads the rows of one copy, and remembers which rows it read and which people they name."""

    def __init__(self, for_patient):
        self.for_patient = for_patient
        self.read, self.named = defaultdict(set), set()

    def rows(self, exported, number):
        rows, fields = (
            exported.model._base_manager.filter(**{exported.path: number}),
            exported.fields,
        )
        if self.for_patient:
            rows = rows.exclude(exported.hidden_rows)
            fields = [field for field in fields if field.name not in exported.hidden]
        rows = list(rows.order_by("pk").values(*(field.name for field in fields)))
        self._remember(exported.model, fields, rows)
        for name, part in exported.parts.items():
            parts = defaultdict(list)
            for row in self.rows(part, number):
                parts[row[part.parent_field]].append(row)
            for row in rows:
                row[name] = [one for one in parts[row["id"]] if self._is_shown(one, exported)]
        return rows

    def _remember(self, model, fields, rows):
        self.read[model].update(row.get("id") for row in rows)
        for field in fields:
            if isinstance(field, ForeignKey) and issubclass(field.related_model, User):
                self.named.update(row[field.name] for row in rows)

    def _is_shown(self, part, whole):
        """Whether the copy has an entry about changes; removes the names of hidden fields."""
        if not (self.for_patient and part.get("changes")):
            return True
        part["changes"] = [name for name in part["changes"] if name not in whole.hidden]
        return bool(part["changes"])

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
        """Events about the patient and by the patient; the patient's copy has those of the API."""
        about = AuditEvent.objects.about(number)
        if self.for_patient:
            shown = about.accesses().with_actor_name()
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


def _readme(number, by, for_patient, descriptions):
    width = max(map(len, descriptions))
    someone = _("someone who can run commands on the server")
    return README.format(
        number=number,
        warning=FOR_THE_PATIENT if for_patient else FOR_THE_CLINIC,
        now=clock.now(),
        by=_("%(name)s (number %(id)s)") % {"name": by.full_name, "id": by.pk} if by else someone,
        files="\n".join(f"{name:<{width}}  {text}" for name, text in descriptions.items()),
    )
