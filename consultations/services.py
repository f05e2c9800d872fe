"""Every change of a consultation and its parts, with its transaction, locks and audit entry.

A change that also moves the appointment is one transaction. All functions take locks in the order
of appointments.services, and lock the consultation last.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from accounts.audit import log as audit
from accounts.models import Action, Doctor, User
from accounts.validators import visible_length
from appointments import clock, slot_services
from appointments import services as appointments
from appointments.lifecycle import MOVES, OPEN
from appointments.locks import lock_patient
from appointments.models import Appointment
from config.db.transactions import atomic_with_retry
from config.db.versioning import check_version
from config.errors import rule_error
from consultations import allergy_check
from consultations.choices import NoteType
from consultations.models import (
    DID_NOT_TAKE_PLACE,
    Consultation,
    ConsultationNote,
    ConsultationPart,
    Prescription,
    VitalSigns,
)
from patients.models import Patient

RecordT = TypeVar("RecordT", bound=Consultation | ConsultationPart)
PartT = TypeVar("PartT", bound=ConsultationPart)


@atomic_with_retry
def open_for(appointment: Appointment, *, by: User, chief_complaint: str = "") -> Consultation:
    """Create the consultation of an appointment that is scheduled, confirmed or in progress.

    `chief_complaint` defaults to the reason for the visit. Raises ValidationError with the code
    `consultation_exists` or `invalid_transition`.
    """
    appointment = appointments.lock(appointment)
    # A statement after the lock sees a consultation that was opened while this call waited.
    if first := Consultation.objects.filter(appointment=appointment).first():
        raise already_exists(first.pk)
    if appointment.status not in OPEN:
        sentence = _(
            "A consultation cannot be opened for this appointment. Its status is %(status)s."
        )
        raise appointments.invalid_transition(appointment, by, sentence)
    consultation = Consultation(
        appointment=appointment,
        patient=appointment.patient,
        doctor=appointment.doctor,
        chief_complaint=chief_complaint or appointment.reason_for_visit,
    )
    return _save(consultation, by, "open")


def already_exists(consultation_pk: int | None = None) -> ValidationError:
    """Return the error for a second consultation of one appointment.

    consultations.apps registers the function for the database constraint as well, which does not
    name the first consultation.
    """
    sentence = _("This appointment already has a consultation.")
    return rule_error("appointment", sentence, "consultation_exists", consultation=consultation_pk)


@atomic_with_retry
def open_walk_in(
    *, patient: Patient, doctor: Doctor, chief_complaint: str, by: User
) -> Consultation:
    """Create a consultation without an appointment.

    Raises ValidationError where the patient's record or the doctor's account is closed.
    """
    patient, doctor = (
        lock_patient(patient.pk),
        slot_services.lock_active_doctor(doctor),
    )
    consultation = Consultation(patient=patient, doctor=doctor, chief_complaint=chief_complaint)
    return _save(consultation, by, "open")


@atomic_with_retry
def start(
    consultation: Consultation, *, by: User, if_version: AbstractSet[int] | None = None
) -> Consultation:
    """Set `started_at`, and start the appointment unless it is already in progress.

    Raises ValidationError with the code `invalid_transition` or `consultation_closed`.
    """
    consultation = _lock(consultation, if_version)
    _check_not_completed(consultation)
    _check_not_cancelled(consultation, by)
    if consultation.started_at:
        sentence = _("This consultation has already started.")
        raise rule_error("status", sentence, "invalid_transition")
    _advance_appointment(consultation, "start", by)
    consultation.started_at = clock.now()
    return _save(consultation, by, "start", changed=["started_at"])


@atomic_with_retry
def complete(
    consultation: Consultation,
    *,
    by: User,
    if_version: AbstractSet[int] | None = None,
    **closing: Any,
) -> Consultation:
    """Write the `closing` fields, set `ended_at`, and complete the appointment.

    Afterwards the consultation is closed: every change but an addendum raises ValidationError with
    the code `consultation_closed`.
    """
    consultation = _lock(consultation, if_version)
    _check_not_completed(consultation)
    _check_not_cancelled(consultation, by)
    _advance_appointment(consultation, "complete", by)
    for field, value in closing.items():
        setattr(consultation, field, value)
    consultation.ended_at = max(clock.now(), consultation.started_at or clock.now())
    return _save(consultation, by, "complete", changed=["ended_at", *closing])


@atomic_with_retry
def complete_open(patient: Patient, *, by: User) -> None:
    """Complete the open consultations of a patient who is being anonymised.

    Those of visits that did not take place stay as they are.
    """
    not_ended = Consultation.objects.filter(patient=patient, ended_at=None)
    held = not_ended.exclude(appointment__status__in=DID_NOT_TAKE_PLACE)
    for consultation in held.with_people().order_by("pk"):
        complete(consultation, by=by)


@atomic_with_retry
def update_text(
    consultation: Consultation,
    *,
    by: User,
    if_version: AbstractSet[int] | None = None,
    **changes: Any,
) -> Consultation:
    """Change the text fields of a consultation that is not completed.

    Without a difference nothing is written.
    """
    consultation = _lock(consultation, if_version)
    _check_not_completed(consultation)
    _check_not_cancelled(consultation, by)
    changed = [name for name, value in changes.items() if getattr(consultation, name) != value]
    if not changed:
        return consultation
    for field, value in changes.items():
        setattr(consultation, field, value)
    return _save(consultation, by, "write", changed=changed)


@atomic_with_retry
def record_vital_signs(consultation: Consultation, *, by: User, **measured: Any) -> VitalSigns:
    consultation = _lock(consultation)
    _check_not_completed(consultation)
    _check_not_cancelled(consultation, by)
    vital_signs = VitalSigns(consultation=consultation, recorded_by=by, **measured)
    vital_signs.full_clean()
    return _save_part(vital_signs, by, "record")


@atomic_with_retry
def prescribe(consultation: Consultation, *, by: User, **prescription: Any) -> Prescription:
    """Create a prescription, after checking the medication against the patient's allergies.

    Raises ValidationError with the code `allergy_conflict` and the matching entries as `matches`,
    unless the prescription has an `override_reason`. See allergy_check for the rule.
    """
    consultation = _lock(consultation)
    _check_not_completed(consultation)
    _check_not_cancelled(consultation, by)
    # Read after the lock, so that allergies count that were added while this call waited.
    allergies = Patient.objects.values_list("allergies", flat=True).get(pk=consultation.patient_id)
    matches = allergy_check.matches(prescription["medication_name"], allergies)
    if matches and not visible_length(prescription.get("override_reason", "")):
        raise rule_error(
            "medication_name",
            _(
                "The patient's allergies list this medication. "
                "Give an override_reason to prescribe it all the same."
            ),
            "allergy_conflict",
            matches=matches,
        )
    row = Prescription(consultation=consultation, prescribed_by=by, **prescription)
    return _save_part(row, by, "prescribe")


@atomic_with_retry
def set_active(prescription: Prescription, *, by: User, is_active: bool) -> Prescription:
    """Stop or resume a prescription, while its consultation is not completed.

    A prescription of a visit that did not take place can be stopped but not resumed.
    """
    consultation = _lock(prescription.consultation)
    _check_not_completed(consultation)
    if is_active:
        _check_not_cancelled(consultation, by)
    prescription = Prescription.objects.select_for_update(no_key=True).get(pk=prescription.pk)
    prescription.consultation = consultation
    if prescription.is_active == is_active:
        return prescription
    prescription.is_active = is_active
    return _save_part(prescription, by, "set_active", changed=["is_active"])


@atomic_with_retry
def add_note(consultation: Consultation, *, by: User, **note: Any) -> ConsultationNote:
    """Add a note; a completed consultation takes only notes of type addendum.

    A private note does not change the version of the consultation. Patients read the version, and
    must not learn from it that a private note exists.
    """
    consultation = _lock(consultation)
    if note["note_type"] != NoteType.ADDENDUM:
        _check_not_completed(consultation)
    new_note = ConsultationNote(consultation=consultation, created_by=by, **note)
    save = _save if new_note.is_private else _save_part
    return save(new_note, by, "add")


def _lock(consultation: Consultation, if_version: AbstractSet[int] | None = None) -> Consultation:
    """Return the current row of the consultation, locked after its appointment.

    Raises `record_anonymised` where the patient is anonymised, which closes all consultations.
    """
    if consultation.appointment is not None:
        appointments.lock(consultation.appointment)
    rows = Consultation.objects.select_for_update(of=("self",), no_key=True).with_people()
    consultation = rows.get(pk=consultation.pk)
    if consultation.is_closed and consultation.appointment is None:
        appointments.check_not_anonymised(consultation.patient_id)
    check_version(consultation, if_version)
    return consultation


def _advance_appointment(consultation: Consultation, action: str, by: User) -> None:
    """Make the move with the appointment, unless its status is already that far."""
    appointment = consultation.appointment
    if appointment and appointment.status in MOVES[action].sources:
        consultation.appointment = appointments.move(appointment, action, by=by)


def _check_not_completed(consultation: Consultation) -> None:
    if consultation.is_closed:
        sentence = _("This consultation is completed. Add a note of type addendum instead.")
        raise rule_error("status", sentence, "consultation_closed")


def _check_not_cancelled(consultation: Consultation, by: User) -> None:
    appointment = consultation.appointment
    if appointment and appointment.status in DID_NOT_TAKE_PLACE:
        sentence = _(
            "This consultation cannot take place. The status of its appointment is %(status)s."
        )
        raise appointments.invalid_transition(appointment, by, sentence)


def _save(record: RecordT, by: User, operation: str, changed: Sequence[str] = ()) -> RecordT:
    """Save the record and write the audit entry.

    Version and audit entry name `by` as the author, also outside a request.
    """
    record._history_user, record._history_date = by, clock.now()
    action = Action.CREATE if record._state.adding else Action.UPDATE
    record.save()
    event = f"{record._meta.model_name}.{operation}"
    audit.record_change(event, record, by=by, fields=changed, action=action)
    return record


def _save_part(part: PartT, by: User, operation: str, changed: Sequence[str] = ()) -> PartT:
    """Save a part, and increment the version of its consultation, which the caller has locked."""
    Consultation.objects.filter(pk=part.consultation_id).update(version=F("version") + 1)
    return _save(part, by, operation, changed)
