"""Every change of a patient's record, with its transaction and audit entry."""

from collections.abc import Set as AbstractSet
from typing import Any

from django.utils.translation import gettext_lazy as _

from accounts import closing, email_addresses
from accounts import services as accounts
from accounts.audit import log as audit
from accounts.auth import sessions
from accounts.models import Action, User
from accounts.roles import UserType
from config.clinical_records import ClinicalRecord, clinical_records
from config.db.transactions import atomic_with_retry
from config.db.versioning import check_version
from config.errors import rule_error
from patients.duplicates import description, possible_duplicates
from patients.models import Patient
from patients.signals import patient_anonymised, patient_anonymising, patient_deactivated


@atomic_with_retry
def create_patient(
    *,
    by: User,
    username: str = "",
    email: str = "",
    password: str | None = None,
    confirm_new: bool = False,
    **fields: Any,
) -> Patient:
    """Register a patient for the clinic.

    Raises ValidationError with the code `possible_duplicate` and the `matches`, if `by` sees
    patients of the same name and date of birth, unless `confirm_new`. Two callers at the same
    moment do not see each other's patient.

    `username` defaults to the e-mail address, or to a random name where the address is empty or
    not a valid username. With an e-mail address and without a password, an e-mail invites the
    patient to choose a password.
    """
    if not confirm_new:
        _check_is_new(by, fields)
    user = accounts.register(
        username=username or email_addresses.username_from(email, UserType.PATIENT),
        email=email,
        password=password,
        user_type=UserType.PATIENT,
        by_clinic=True,
        **fields,
    )
    if email and password is None:
        accounts.invite(user)
    audit.record_create("patient.create", user)
    return Patient.objects.get(pk=user.pk)


def _check_is_new(by: User, fields: dict[str, Any]) -> None:
    names = {name: fields.get(name, "") for name in ("first_name", "last_name")}
    matches = possible_duplicates(by=by, date_of_birth=fields.get("date_of_birth"), **names)
    if matches:
        sentence = _(
            "A patient with this name and date of birth is registered already: %(patients)s. "
            "Confirm that this is another person."
        )
        raise rule_error(
            "confirm_new",
            sentence,
            "possible_duplicate",
            patients="; ".join(match.display for match in matches),
            matches=[description(match) for match in matches],
        )


@atomic_with_retry
def deactivate(
    patient: Patient, *, by: User, if_version: AbstractSet[int] | None = None
) -> Patient:
    """Close a record: no list shows the patient, and their upcoming appointments are cancelled.

    No clinical row is deleted, and the e-mail address stays in use. The picture is deleted, because
    pictures are public. Raises ValidationError with the code `stale_version` where `if_version` is
    not the version of the record, and without a code where the record is anonymised.
    """
    patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
    closing.check_not_anonymised(patient)
    check_version(patient, if_version)
    if not patient.is_active:
        return patient
    changed = ["is_active", "avatar"] if patient.avatar else ["is_active"]
    closing.remove_picture(patient)
    patient.is_active = False
    patient._history_user = by
    patient.save()
    sessions.end_all(patient)
    patient_deactivated.send(sender=Patient, patient=patient, by=by)
    audit.record_change("patient.close", patient, by=by, fields=changed, action=Action.DELETE)
    return patient


@atomic_with_retry
def anonymise(patient: Patient, *, by: User) -> Patient:
    """Remove what identifies the patient from the record and all its versions, and close it.

    Appointments and consultations that are still open are closed too. Nothing about the patient can
    be written afterwards, and the record cannot be reopened. Clinical data stays, under the
    patient's id, and may contain a name that somebody wrote into a text.
    """
    patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
    if closing.is_anonymised(patient):
        return patient
    if patient.is_active:
        deactivate(patient, by=by)
    patient_anonymising.send(sender=Patient, patient=patient, by=by)
    patient = accounts.anonymise(patient, by=by)
    for record in clinical_records():
        _anonymise_records(record, patient, by)
    patient_anonymised.send(sender=Patient, patient=patient, by=by)
    audit.record_change("patient.anonymise", patient, by=by)
    return patient


def _anonymise_records(record: ClinicalRecord, patient: Patient, by: User) -> None:
    """Empties the personal fields of the patient's rows of one registered clinical record.

    The admin's log names these rows by number from then on. All other text stays.
    """
    rows = record.of_patient(patient.pk).order_by("pk")
    empty = dict.fromkeys(record.personal, "")
    if empty:
        locked = list(rows.select_for_update(of=("self",), no_key=True))
        changed = [row for row in locked if any(getattr(row, name) for name in empty)]
        for row in changed:
            for name in empty:
                setattr(row, name, "")
            row._history_user = by
            row.save()
        if record.versions:
            history = record.model.history  # type: ignore[attr-defined]  # django-simple-history
            versions = history.model.objects.filter(**{record.patient: patient.pk})
            versions.update(**empty)
        if changed:
            event = f"{record.model._meta.model_name}.anonymise"
            audit.record_change(event, *changed, by=by, fields=record.personal)
    accounts.redact_admin_log(record.model, rows.values_list("pk", flat=True))


@atomic_with_retry
def reactivate(patient: Patient) -> Patient:
    """Reopen a closed record, without a picture; its cancelled appointments stay cancelled.

    Raises ValidationError where the record is anonymised.
    """
    patient = Patient.objects.select_for_update(no_key=True).get(pk=patient.pk)
    closing.check_not_anonymised(patient)
    if patient.is_active:
        return patient
    patient.is_active = True
    patient.save()
    audit.record_change("patient.reopen", patient, fields=["is_active"])
    return patient
