"""Every change of a consultation and its parts, with its transaction, locks and audit entry.

A change that also moves the appointment is one transaction. All functions take locks in the order
of appointments.services, and lock the consultation last.
"""

from collections.abc import Set as AbstractSet
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.models import Doctor, User
from accounts.validators import visible_length
from appointments import clock, move_rules, reopening, slot_services
from appointments import services as appointments
from appointments.lifecycle import MOVES, OPEN, Stage, Status
from appointments.locks import lock_patient
from appointments.models import Appointment
from config.db.transactions import atomic_with_retry
from config.errors import rule_error
from consultations import allergy_check
from consultations.changes import (
    check_not_cancelled,
    check_not_completed,
    lock,
    save,
    save_part,
)
from consultations.choices import NoteType
from consultations.models import (
    DID_NOT_TAKE_PLACE,
    Consultation,
    ConsultationNote,
    Prescription,
    VitalSigns,
)
from patients.models import Patient


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
        raise move_rules.invalid_transition(appointment, by, sentence)
    consultation = Consultation(
        appointment=appointment,
        patient=appointment.patient,
        doctor=appointment.doctor,
        chief_complaint=chief_complaint or appointment.reason_for_visit,
    )
    return save(consultation, by, "open")


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
    return save(consultation, by, "open")


@atomic_with_retry
def start(
    consultation: Consultation, *, by: User, if_version: AbstractSet[int] | None = None
) -> Consultation:
    """Set `started_at`, and start the appointment unless it is already in progress.

    Raises ValidationError with the code `invalid_transition` or `consultation_closed`.
    """
    consultation = lock(consultation, if_version)
    check_not_completed(consultation)
    check_not_cancelled(consultation, by)
    if consultation.started_at:
        sentence = _("This consultation has already started.")
        raise rule_error("status", sentence, "invalid_transition")
    _advance_appointment(consultation, "start", by, Stage.STARTED)
    consultation.started_at = clock.now()
    return save(consultation, by, "start", changed=["started_at"])


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
    consultation = lock(consultation, if_version)
    check_not_completed(consultation)
    check_not_cancelled(consultation, by)
    _advance_appointment(consultation, "complete", by, Stage.COMPLETED)
    for field, value in closing.items():
        setattr(consultation, field, value)
    consultation.ended_at = max(clock.now(), consultation.started_at or clock.now())
    return save(consultation, by, "complete", changed=["ended_at", *closing])


@atomic_with_retry
def reopen(
    consultation: Consultation,
    *,
    by: User,
    reason: str,
    if_version: AbstractSet[int] | None = None,
) -> Consultation:
    """Open a completed consultation again, and take the completion of its appointment back.

    Raises ValidationError with the code `invalid_transition`, also where the time limit has passed.
    """
    reopening.check_reason(reason)
    consultation = lock(consultation, if_version)
    if consultation.ended_at is None:
        sentence = _("This consultation is not completed, so there is nothing to reopen.")
        raise rule_error("status", sentence, "invalid_transition")
    move_rules.check_recent(consultation.ended_at, by=by)
    appointment = consultation.appointment
    if appointment is not None:
        stage = Stage.STARTED if consultation.started_at else Stage.NONE
        appointments.set_consultation_stage(appointment, stage)
        if appointment.status == Status.COMPLETED:
            appointments.take_back(appointment, by=by, reason=reason)
    consultation.ended_at, consultation.reopen_reason = None, reason
    return save(consultation, by, "reopen", changed=["ended_at", "reopen_reason"])


@atomic_with_retry
def complete_open(patient: Patient, *, by: User) -> None:
    """Complete the open consultations of a patient who is being anonymised.

    Those of visits that did not take place, or whose day has not come, stay as they are.
    """
    not_ended = Consultation.objects.filter(patient=patient, ended_at=None)
    held = not_ended.exclude(appointment__status__in=DID_NOT_TAKE_PLACE)
    for consultation in held.with_people().order_by("pk"):
        appointment = consultation.appointment
        if appointment is None or move_rules.day_has_come(appointment):
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
    consultation = lock(consultation, if_version)
    check_not_completed(consultation)
    check_not_cancelled(consultation, by)
    changed = [name for name, value in changes.items() if getattr(consultation, name) != value]
    if not changed:
        return consultation
    for field, value in changes.items():
        setattr(consultation, field, value)
    return save(consultation, by, "write", changed=changed)


@atomic_with_retry
def record_vital_signs(consultation: Consultation, *, by: User, **measured: Any) -> VitalSigns:
    consultation = lock(consultation)
    check_not_completed(consultation)
    check_not_cancelled(consultation, by)
    vital_signs = VitalSigns(consultation=consultation, recorded_by=by, **measured)
    vital_signs.full_clean()
    return save_part(vital_signs, by, "record")


@atomic_with_retry
def prescribe(consultation: Consultation, *, by: User, **prescription: Any) -> Prescription:
    """Create a prescription, after checking the medication against the patient's allergies.

    Raises ValidationError with the code `allergy_conflict` and the matching entries as `matches`,
    unless the prescription has an `override_reason`. See allergy_check for the rule.
    """
    consultation = lock(consultation)
    check_not_completed(consultation)
    check_not_cancelled(consultation, by)
    name, override_reason = (
        prescription["medication_name"],
        prescription.get("override_reason", ""),
    )
    _check_allergies(consultation, name, override_reason)
    row = Prescription(consultation=consultation, prescribed_by=by, **prescription)
    return save_part(row, by, "prescribe")


@atomic_with_retry
def set_active(
    prescription: Prescription, *, by: User, is_active: bool, override_reason: str = ""
) -> Prescription:
    """Stop a prescription at any time, or resume it while its consultation is not completed.

    Resuming checks the allergies as prescribe() does, and keeps the `override_reason` if one is
    given. A prescription of a visit that did not take place cannot be resumed.
    """
    consultation = lock(prescription.consultation)
    if is_active:
        check_not_completed(consultation)
        check_not_cancelled(consultation, by)
    prescription = Prescription.objects.select_for_update(no_key=True).get(pk=prescription.pk)
    prescription.consultation = consultation
    if prescription.is_active == is_active:
        return prescription
    changed = ["is_active"]
    if is_active:
        _check_allergies(consultation, prescription.medication_name, override_reason)
        if override_reason:
            prescription.override_reason = override_reason
            changed.append("override_reason")
    prescription.is_active = is_active
    return save_part(prescription, by, "set_active", changed=changed)


@atomic_with_retry
def add_note(consultation: Consultation, *, by: User, **note: Any) -> ConsultationNote:
    """Add a note; a completed consultation takes only notes of type addendum.

    A private note does not change the version of the consultation. Patients read the version, and
    must not learn from it that a private note exists.
    """
    consultation = lock(consultation)
    if note["note_type"] != NoteType.ADDENDUM:
        check_not_completed(consultation)
    new_note = ConsultationNote(consultation=consultation, created_by=by, **note)
    write = save if new_note.is_private else save_part
    return write(new_note, by, "add")


def _check_allergies(consultation: Consultation, medication: str, override_reason: str) -> None:
    """Check a medication that becomes active; the caller has locked the consultation.

    The allergies are read after the lock, so that those count that were added while the caller
    waited.
    """
    allergies = Patient.objects.values_list("allergies", flat=True).get(pk=consultation.patient_id)
    matches = allergy_check.matches(medication, allergies)
    if matches and not visible_length(override_reason):
        raise rule_error(
            "medication_name",
            _(
                "The patient's allergies list this medication. "
                "Give an override_reason to prescribe it all the same."
            ),
            "allergy_conflict",
            matches=matches,
        )


def _advance_appointment(consultation: Consultation, action: str, by: User, stage: Stage) -> None:
    """Make the move with the appointment, unless its status is already that far."""
    appointment = consultation.appointment
    if appointment is None:
        return
    appointments.set_consultation_stage(appointment, stage)
    if appointment.status in MOVES[action].sources:
        consultation.appointment = appointments.move(appointment, action, by=by)
