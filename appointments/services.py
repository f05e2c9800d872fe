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
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts import closing
from accounts.audit import log as audit
from accounts.models import Action, User
from appointments import booking_rules, clock
from appointments.lifecycle import MOVES, OPEN, UPCOMING, transition_to
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

# A whole sentence for each move: translations cannot be composed of a verb and a status.
INVALID_MOVES = {
    "confirm": _("This appointment cannot be confirmed now. Its status is %(status)s."),
    "start": _("This appointment cannot be started now. Its status is %(status)s."),
    "complete": _("This appointment cannot be completed now. Its status is %(status)s."),
    "no_show": _("This appointment cannot be marked as a no-show now. Its status is %(status)s."),
    "cancel": _("This appointment cannot be cancelled now. Its status is %(status)s."),
    "reschedule": _("This appointment cannot be rescheduled now. Its status is %(status)s."),
}


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
    """Make one move of lifecycle.MOVES; `reschedule` needs the new `time_slot`.

    Raises ValidationError with the code `invalid_transition` where the table does not allow the
    move, with the allowed moves in its params; otherwise with a code of booking_rules.
    """
    if (action == "reschedule") != (time_slot is not None):
        raise TypeError("`reschedule` needs a time_slot; no other move takes one.")
    if time_slot is not None:
        patient = lock_patient(appointment.patient_id)
        lock_slots({appointment.time_slot_id, time_slot.pk})
    appointment = lock(appointment)
    check_version(appointment, if_version)
    before = appointment.status, appointment.starts_at
    if not MOVES[action].is_allowed_from(
        status=appointment.status,
        starts_at=appointment.starts_at,
        role=by.role,
        now=clock.now(),
    ):
        raise invalid_transition(appointment, by, INVALID_MOVES[action])
    booking_rules.check_move(appointment, action, by=by)
    if time_slot is not None:
        _check_new_slot(appointment, time_slot)
        slot = _lock_free_slot(time_slot, patient, by)
        booking_rules.check_new_time(appointment, slot, by=by)
        appointment.time_slot = slot
        appointment.starts_at, appointment.ends_at = slot.starts_at, slot.ends_at
    appointment.status = MOVES[action].target
    appointment.save()
    _record_history(appointment, action, by=by, before=before, reason=reason)
    return appointment


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
        raise invalid_transition(appointment, by, sentence)
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
            "This appointment can be scheduled again only by moving it to another time. "
            "Its status is %(status)s."
        )
        raise invalid_transition(appointment, by, sentence)
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


def invalid_transition(
    appointment: Appointment, by: User, sentence: str | Promise
) -> ValidationError:
    """Return the error for a change that the status of the appointment does not allow.

    `sentence` may name the status as `%(status)s`. The params list the moves allowed to `by`.
    """
    allowed = booking_rules.open_moves(appointment, role=by.role)
    status = appointment.get_status_display()
    return rule_error("status", sentence, "invalid_transition", status=status, allowed=allowed)


def _lock_free_slot(time_slot: TimeSlot, patient: Patient, by: User) -> TimeSlot:
    """Return the slot, locked, after checking that it is free for the patient.

    A concurrent caller waits for the lock and then finds the slot taken. The check is a separate
    statement after the lock: only a new statement sees what another transaction committed while
    this one waited.
    """
    slot = lock_slot(time_slot.pk)
    if slot.withdrawn_at or not slot.doctor.is_bookable:
        raise ValidationError({"time_slot": _("This time slot is not offered any more.")})
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
