"""Every change of an appointment, with its transaction, locks, history and audit entry.

All functions take locks in one order, so that no two callers wait for each other: people, then
slots by id, then the appointment. On SQLite the IMMEDIATE transaction is the lock.
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils.translation import gettext_lazy as _

from accounts import closing
from accounts.audit import log as audit
from accounts.models import Action, User
from appointments import booking_rules, clock, move_rules, reopening
from appointments.lifecycle import MOVES, OPEN, UPCOMING, Stage, Status, transition_to
from appointments.locks import conflicting_slots, lock_patient, lock_slot, lock_slots
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.signals import appointment_changed
from config.db.transactions import atomic_with_retry
from config.db.versioning import check_version
from config.errors import rule_error
from patients.models import Patient

ALTERNATIVES = 3  # the number of other slots in the details of `slot_taken`

# The fields that a move changes, for the audit; moves not named here change the status alone.
CHANGED_FIELDS = {"book": [], "reschedule": ["status", "time_slot"]}

VISIT_DETAILS = frozenset(
    {
        "consultation_type",
        "priority",
        "reason_for_visit",
        "symptoms",
        "contact_phone",
        "patient_notes",
    }
)


@atomic_with_retry
def book(*, patient: Patient, time_slot: TimeSlot, by: User, **details: Any) -> Appointment:
    """Create an appointment in a free slot.

    Raises ValidationError with the code `slot_in_past`, `slot_taken` or `patient_overlap`, or a
    code of booking_rules.check_booking(). A withdrawn slot, a doctor who cannot be booked and a
    patient whose record is closed are plain validation errors.
    """
    patient = lock_patient(patient.pk)
    slot = _lock_free_slot(time_slot, patient, by)
    booking_rules.check_booking(patient, slot, by=by)
    appointment = Appointment(
        patient=patient,
        doctor=slot.doctor,
        time_slot=slot,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        booked_by=by,
        **details,
    )
    appointment.save(force_insert=True)
    _record_history(appointment, "book", by=by)
    return appointment


@atomic_with_retry
def move(
    appointment: Appointment,
    action: str,
    *,
    by: User,
    reason: str = "",
    time_slot: TimeSlot | None = None,
    if_version: AbstractSet[int] | None = None,
) -> Appointment:
    """Make one move of lifecycle.MOVES; `reschedule` needs the new `time_slot`, `reopen` a reason.

    Raises ValidationError with a code of move_rules.check_allowed(); otherwise with a code of
    booking_rules or reopening.
    """
    if (action == "reschedule") != (time_slot is not None):
        raise TypeError("`reschedule` needs a time_slot; no other move takes one.")
    target = MOVES[action].target
    if target is None:
        return _reopen(appointment, by=by, reason=reason, if_version=if_version)
    if time_slot is not None:
        patient = lock_patient(appointment.patient_id)
        lock_slots({appointment.time_slot_id, time_slot.pk})
    appointment = lock(appointment)
    check_version(appointment, if_version)
    before = appointment.status, appointment.starts_at
    move_rules.check_allowed(appointment, action, by=by)
    if time_slot is not None:
        _check_new_slot(appointment, time_slot)
        slot = _lock_free_slot(time_slot, patient, by)
        booking_rules.check_time(slot, by=by)
        appointment.time_slot = slot
        appointment.starts_at, appointment.ends_at = slot.starts_at, slot.ends_at
    appointment.previous_status, appointment.status_changed_at = appointment.status, clock.now()
    appointment.status = target
    appointment.save()
    _record_history(appointment, action, by=by, before=before, reason=reason)
    return appointment


def _reopen(
    appointment: Appointment, *, by: User, reason: str, if_version: AbstractSet[int] | None
) -> Appointment:
    """Make the move `reopen`. A cancelled appointment takes its time again."""
    reopening.check_reason(reason)
    held = reopening.lock_time(appointment)
    appointment = lock(appointment)
    check_version(appointment, if_version)
    reopening.read_last_move(appointment)
    move_rules.check_allowed(appointment, "reopen", by=by)
    if appointment.status == Status.CANCELLED:
        alternatives = partial(_alternatives, held.slot, held.patient, by)
        reopening.check_time(appointment, held, alternatives)
    return take_back(appointment, by=by, reason=reason)


def take_back(appointment: Appointment, *, by: User, reason: str) -> Appointment:
    """Take back the last move of an appointment that the caller has locked and checked."""
    before = appointment.status, appointment.starts_at
    appointment.status = reopening.step_back(appointment)
    appointment.save()
    _record_history(appointment, "reopen", by=by, before=before, reason=reason)
    return appointment


def set_consultation_stage(appointment: Appointment, stage: Stage) -> None:
    """Note the stage of the consultation of a locked appointment. The version does not cover it."""
    if appointment.consultation_stage != stage:
        appointment.consultation_stage = stage
        Appointment.objects.filter(pk=appointment.pk).update(consultation_stage=stage)


@atomic_with_retry
def update(
    appointment: Appointment,
    *,
    by: User,
    status: str | None = None,
    if_version: AbstractSet[int] | None = None,
    **details: Any,
) -> Appointment:
    """Change visit details and `doctor_notes`.

    Visit details can change while the appointment is scheduled or confirmed, `doctor_notes` at any
    time. A new `status` makes the move that has it as target, in the same transaction. Raises
    ValidationError with the code `invalid_transition`, or a code of move().
    """
    appointment = lock(appointment)
    check_version(appointment, if_version)
    changed = {name for name, value in details.items() if getattr(appointment, name) != value}
    if changed & VISIT_DETAILS and appointment.status not in UPCOMING:
        sentence = _(
            "The details of this appointment cannot be changed any more. Its status is %(status)s."
        )
        raise move_rules.invalid_transition(appointment, by, sentence)
    if changed:
        for name in changed:
            setattr(appointment, name, details[name])
        appointment.save()
        before = appointment.status, appointment.starts_at
        _record_history(appointment, "updated", by=by, before=before, changes=sorted(changed))
    if status in (None, appointment.status):
        return appointment
    action = transition_to(status)
    if action is None:
        sentence = _(
            "This appointment can be scheduled again only by moving it to another time or by "
            "reopening it. Its status is %(status)s."
        )
        raise move_rules.invalid_transition(appointment, by, sentence)
    return move(appointment, action, by=by)


def lock(appointment: Appointment) -> Appointment:
    """Return the current row of the appointment, locked until the transaction ends.

    Raises `record_anonymised` where the patient is anonymised, which ends all open appointments.
    """
    rows = Appointment.objects.select_for_update(of=("self",), no_key=True).with_people()
    appointment = rows.get(pk=appointment.pk)
    if appointment.status not in OPEN:
        check_not_anonymised(appointment.patient_id)
    return appointment


def check_not_anonymised(patient_id: int) -> None:
    """Raise `record_anonymised`, by a statement of its own: one with a lock may read old rows."""
    closing.check_not_anonymised(Patient.objects.only("username").get(pk=patient_id))


def _lock_free_slot(time_slot: TimeSlot, patient: Patient, by: User) -> TimeSlot:
    """Return the slot, locked, after checking that it is free for the patient.

    A concurrent caller waits for the lock and then finds the slot taken. The check is a separate
    statement after the lock: only a new statement sees what another transaction committed while
    this one waited.
    """
    slot = lock_slot(time_slot.pk)
    if slot.withdrawn_at:
        raise ValidationError({"time_slot": _("This time slot is not offered any more.")})
    if not slot.doctor.is_bookable:
        sentence = _("This doctor takes no appointments at present. Choose another doctor.")
        raise ValidationError({"time_slot": sentence})
    if slot.starts_at <= clock.now():
        raise rule_error("time_slot", _("This time slot is in the past."), "slot_in_past")
    if holders := conflicting_slots(slot, patient):
        if slot.pk in holders:
            alternatives = partial(_alternatives, slot, patient, by)
            sentence = _("This time slot is taken.")
            raise rule_error("time_slot", sentence, "slot_taken", alternatives=alternatives)
        sentence = _("The patient has another appointment at that time.")
        raise rule_error("time_slot", sentence, "patient_overlap")
    return slot


def _alternatives(slot: TimeSlot, patient: Patient, by: User) -> list[dict[str, object]]:
    """Return the doctor's free slots nearest to `slot`, soonest first, as JSON.

    `by` may book them, and the patient has no other appointment at their times.
    """
    overlapping = patient.appointments.live().overlapping(
        OuterRef("starts_at"), OuterRef("ends_at")
    )
    free = booking_rules.bookable_by(by, slot.doctor.time_slots.filter(~Exists(overlapping)))
    later = free.filter(starts_at__gt=slot.starts_at).order_by("starts_at")[:ALTERNATIVES]
    earlier = free.filter(starts_at__lt=slot.starts_at).order_by("-starts_at")[:ALTERNATIVES]
    nearest = sorted([*later, *earlier], key=lambda other: abs(other.starts_at - slot.starts_at))
    return [
        {
            "time_slot": other.pk,
            "starts_at": clock.to_clinic_time(other.starts_at).isoformat(),
            "ends_at": clock.to_clinic_time(other.ends_at).isoformat(),
        }
        for other in sorted(nearest[:ALTERNATIVES], key=lambda other: other.starts_at)
    ]


def _check_new_slot(appointment: Appointment, time_slot: TimeSlot) -> None:
    if time_slot.pk == appointment.time_slot_id:
        raise ValidationError({"time_slot": _("The appointment is in this slot already.")})
    if time_slot.doctor_id != appointment.doctor_id:
        raise ValidationError({"time_slot": _("Choose a slot of the same doctor.")})


def _record_history(
    appointment: Appointment,
    action: str,
    *,
    by: User,
    before: tuple[str, datetime | None] = ("", None),
    reason: str = "",
    changes: Sequence[str] = (),
) -> None:
    """Write the history row and the audit entry; send `appointment_changed` after the commit."""
    entry = AppointmentHistory.objects.create(
        appointment=appointment,
        action=action,
        from_status=before[0],
        to_status=appointment.status,
        from_starts_at=before[1],
        to_starts_at=appointment.starts_at,
        changes=list(changes),
        reason=reason,
        changed_by=by,
    )
    audit.record_change(
        f"appointment.{action}",
        appointment,
        by=by,
        fields=changes or CHANGED_FIELDS.get(action, ["status"]),
        action=Action.CREATE if action == "book" else Action.UPDATE,
    )
    transaction.on_commit(
        lambda: appointment_changed.send_robust(sender=AppointmentHistory, entry=entry)
    )
