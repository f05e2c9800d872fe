"""Takes back the last move of an appointment.

The history says which move that is: a move that was taken back does not count any more.
"""

from collections.abc import Callable
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.validators import visible_length
from appointments import clock
from appointments.lifecycle import Status
from appointments.locks import (
    check_record_open,
    conflicting_slots,
    find_and_lock_patient,
    lock_slots,
)
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.move_rules import NOT_IN_HISTORY
from config.db.versioning import stale_version
from config.errors import rule_error
from patients.models import Patient


class HeldTime(NamedTuple):
    """The locked patient and slot of an appointment."""

    patient: Patient
    slot: TimeSlot


def check_reason(reason: str) -> None:
    if not visible_length(reason):
        raise ValidationError({"reason": _("Say why it is reopened.")})


def lock_time(appointment: Appointment) -> HeldTime:
    """Lock the patient and the slot, before the appointment itself."""
    patient = find_and_lock_patient(appointment.patient_id)
    [slot] = lock_slots({appointment.time_slot_id})
    return HeldTime(patient, slot)


def read_last_move(appointment: Appointment) -> None:
    """Set status and time of the last move from the history, which is always complete.

    A previous release that still runs during an upgrade does not know the columns.
    """
    moves = _standing_moves(appointment)
    _set_last_move(appointment, moves[-1] if moves else None)
    if moves and moves[-1].to_status != appointment.status:
        _set_last_move(appointment, None)


def step_back(appointment: Appointment) -> Status:
    """Return the status before the last move, and set the columns to the move before that."""
    moves = _standing_moves(appointment)
    if not (moves and moves[-1].from_status):
        raise rule_error("status", NOT_IN_HISTORY, "invalid_transition")
    *earlier, last = moves
    _set_last_move(appointment, earlier[-1] if earlier else None)
    return Status(last.from_status)


def check_time(
    appointment: Appointment,
    held: HeldTime,
    alternatives: Callable[[], list[dict[str, object]]],
) -> None:
    """Check that a cancelled appointment can take its time again.

    The time may have passed: the visit can then be completed. Raises ValidationError with the code
    `slot_taken`, `patient_overlap` or `invalid_transition`.
    """
    patient, slot = held
    if slot.pk != appointment.time_slot_id:  # it was moved before the locks were taken
        raise stale_version()
    check_record_open(patient)
    if slot.withdrawn_at or slot.starts_at != appointment.starts_at:
        sentence = _("The doctor has withdrawn this time. Book another time instead.")
        raise rule_error("status", sentence, "invalid_transition")
    if slot.starts_at > clock.now() and not slot.doctor.is_bookable:
        sentence = _("This doctor takes no appointments at present. Book another doctor instead.")
        raise rule_error("status", sentence, "invalid_transition")
    if holders := conflicting_slots(slot, patient):
        if slot.pk in holders:
            sentence = _(
                "This time has been given to another appointment. Book another time instead."
            )
            raise rule_error("status", sentence, "slot_taken", alternatives=alternatives)
        sentence = _("The patient has another appointment at that time.")
        raise rule_error("status", sentence, "patient_overlap")


def _standing_moves(appointment: Appointment) -> list[AppointmentHistory]:
    """Return the booking and the moves that were not taken back, oldest first."""
    moves: list[AppointmentHistory] = []
    for entry in appointment.history.exclude(action="updated").order_by("pk"):
        if entry.action != "reopen":
            moves.append(entry)
        elif moves:
            moves.pop()
    return moves


def _set_last_move(appointment: Appointment, last: AppointmentHistory | None) -> None:
    """The booking, which has no status before it, is no move."""
    is_move = last is not None and last.from_status
    appointment.previous_status = last.from_status if last and is_move else ""
    appointment.status_changed_at = last.created_at if last and is_move else None
