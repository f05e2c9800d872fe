"""A consultation's course. Where it moves its appointment, both move in one transaction.

Locks are taken in the order of appointments.services, and the consultation last.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import F

from accounts.audit import log as audit
from accounts.models import Action, Doctor, User
from appointments import clock, slot_services
from appointments import services as appointments
from appointments.lifecycle import MOVES, UPCOMING, Status
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

TAKES_A_CONSULTATION = UPCOMING | {Status.IN_PROGRESS}


@atomic_with_retry
def open_for(appointment: Appointment, *, by: User, chief_complaint: str = "") -> Consultation:
    """The consultation of an appointment that is not over; its complaint is the visit's reason.

    Refusals: `consultation_exists`, and `invalid_transition` for an appointment that is over.
    """
    appointment = appointments.lock(appointment)
    if Consultation.objects.filter(appointment=appointment).exists():
        raise exists_already()
    if appointment.status not in TAKES_A_CONSULTATION:
        raise appointments.invalid_transition(
            appointment, by, "open a consultation for an appointment"
        )
    consultation = Consultation(
        appointment=appointment,
        patient=appointment.patient,
        doctor=appointment.doctor,
        chief_complaint=chief_complaint or appointment.reason_for_visit,
    )
    return _saved(consultation, by, "open")


def exists_already() -> ValidationError:
    """The refusal of a second consultation; the database's too (consultations.apps)."""
    return rule_error(
        "appointment", "This appointment has its consultation.", "consultation_exists"
    )


@atomic_with_retry
def open_walk_in(
    *, patient: Patient, doctor: Doctor, chief_complaint: str, by: User
) -> Consultation:
    """A consultation without an appointment.

    A patient whose record is closed, and a doctor whose account is, are bad input.
    """
    patient, doctor = (
        lock_patient(patient.pk),
        slot_services.lock_active_doctor(doctor),
    )
    consultation = Consultation(patient=patient, doctor=doctor, chief_complaint=chief_complaint)
    return _saved(consultation, by, "open")


@atomic_with_retry
def start(
    consultation: Consultation, *, by: User, if_version: AbstractSet[int] | None = None
) -> Consultation:
    """Stamp the beginning, and bring the appointment under way if it is not yet."""
    consultation = _lock(consultation, if_version)
    _check_not_completed(consultation)
    _check_not_cancelled(consultation, by)
    if consultation.started_at:
        raise rule_error("status", "This consultation has started already.", "invalid_transition")
    _advance_appointment(consultation, "start", by)
    consultation.started_at = clock.now()
    return _saved(consultation, by, "start", changed=["started_at"])


@atomic_with_retry
def complete(
    consultation: Consultation,
    *,
    by: User,
    if_version: AbstractSet[int] | None = None,
    **closing: Any,
) -> Consultation:
    """Write the `closing` fields, stamp the end and complete the appointment.

    From then on the consultation is closed: `consultation_closed` for all but addenda.
    """
    consultation = _lock(consultation, if_version)
    _check_not_completed(consultation)
    _check_not_cancelled(consultation, by)
    _advance_appointment(consultation, "complete", by)
    for field, value in closing.items():
        setattr(consultation, field, value)
    consultation.ended_at = max(clock.now(), consultation.started_at or clock.now())
    return _saved(consultation, by, "complete", changed=["ended_at", *closing])


@atomic_with_retry
def update_text(
    consultation: Consultation,
    *,
    by: User,
    if_version: AbstractSet[int] | None = None,
    **changes: Any,
) -> Consultation:
    """Change the text of a consultation that is open."""
    consultation = _lock(consultation, if_version)
    _check_not_completed(consultation)
    _check_not_cancelled(consultation, by)
    changed = [name for name, value in changes.items() if getattr(consultation, name) != value]
    for field, value in changes.items():
        setattr(consultation, field, value)
    return _saved(consultation, by, "write", changed=changed)


@atomic_with_retry
def record_vital_signs(consultation: Consultation, *, by: User, **measured: Any) -> VitalSigns:
    consultation = _lock(consultation)
    _check_not_completed(consultation)
    _check_not_cancelled(consultation, by)
    vital_signs = VitalSigns(consultation=consultation, recorded_by=by, **measured)
    vital_signs.full_clean()
    return _saved_part(vital_signs, by, "record")


@atomic_with_retry
def prescribe(consultation: Consultation, *, by: User, **prescription: Any) -> Prescription:
    """A new prescription. A listed allergy refuses it with `allergy_conflict` and the entries
    that match, unless an `override_reason` is given, which is kept.
    """
    consultation = _lock(consultation)
    _check_not_completed(consultation)
    _check_not_cancelled(consultation, by)
    # Read after the lock: what was listed while this waited for it counts.
    listed = Patient.objects.values_list("allergies", flat=True).get(pk=consultation.patient_id)
    matches = allergy_check.matches(prescription["medication_name"], listed)
    if matches and not prescription.get("override_reason"):
        raise rule_error(
            "medication_name",
            "The patient's allergies list this medication. "
            "Give an override_reason to prescribe it all the same.",
            "allergy_conflict",
            matches=matches,
        )
    row = Prescription(consultation=consultation, prescribed_by=by, **prescription)
    return _saved_part(row, by, "prescribe")


@atomic_with_retry
def set_active(prescription: Prescription, *, by: User, is_active: bool) -> Prescription:
    """Stop a prescription, or take it up again, while its consultation is open.

    One of a visit that did not take place can only be stopped.
    """
    consultation = _lock(prescription.consultation)
    _check_not_completed(consultation)
    if is_active:
        _check_not_cancelled(consultation, by)
    prescription = Prescription.objects.select_for_update(no_key=True).get(pk=prescription.pk)
    prescription.consultation = consultation
    prescription.is_active = is_active
    return _saved_part(prescription, by, "set_active", changed=["is_active"])


@atomic_with_retry
def add_note(consultation: Consultation, *, by: User, **note: Any) -> ConsultationNote:
    """A note; to a closed consultation only an addendum.

    A private one leaves the consultation's version, which the patient reads too: he is not told
    that it is there, and there is no text that a change from the old version would overwrite.
    """
    consultation = _lock(consultation)
    if note["note_type"] != NoteType.ADDENDUM:
        _check_not_completed(consultation)
    written = ConsultationNote(consultation=consultation, created_by=by, **note)
    saved = _saved if written.is_private else _saved_part
    return saved(written, by, "add")


def _lock(consultation: Consultation, if_version: AbstractSet[int] | None = None) -> Consultation:
    """The consultation as it is now, its appointment locked before it."""
    if consultation.appointment is not None:
        appointments.lock(consultation.appointment)
    rows = Consultation.objects.select_for_update(of=("self",), no_key=True).with_people()
    consultation = rows.get(pk=consultation.pk)
    check_version(consultation, if_version)
    return consultation


def _advance_appointment(consultation: Consultation, action: str, by: User) -> None:
    """Make the move with the appointment, unless it is there already or further on."""
    appointment = consultation.appointment
    if appointment and appointment.status in MOVES[action].sources:
        consultation.appointment = appointments.move(appointment, action, by=by)


def _check_not_completed(consultation: Consultation) -> None:
    if consultation.is_closed:
        raise rule_error(
            "status",
            "This consultation is completed; add a note of type addendum.",
            "consultation_closed",
        )


def _check_not_cancelled(consultation: Consultation, by: User) -> None:
    appointment = consultation.appointment
    if appointment and appointment.status in DID_NOT_TAKE_PLACE:
        raise appointments.invalid_transition(
            appointment, by, "hold the consultation of an appointment"
        )


def _saved(record: RecordT, by: User, deed: str, changed: Sequence[str] = ()) -> RecordT:
    """Save it; its new version, and the audit, name who made it, also outside a request."""
    record._history_user, record._history_date = by, clock.now()
    action = Action.CREATE if record._state.adding else Action.UPDATE
    record.save()
    event = f"{record._meta.model_name}.{deed}"
    audit.record_change(event, record, by=by, fields=changed, action=action)
    return record


def _saved_part(part: PartT, by: User, deed: str, changed: Sequence[str] = ()) -> PartT:
    """Save a part; the consultation it belongs to, which is locked, has a new version by it."""
    Consultation.objects.filter(pk=part.consultation_id).update(version=F("version") + 1)
    return _saved(part, by, deed, changed)
