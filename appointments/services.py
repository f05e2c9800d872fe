"""Booking and everything after it: the transactions, the locks and the history.

Locks are taken in one order, so that no two callers wait for each other: people, then slots by id,
then the appointment. On SQLite the IMMEDIATE transaction is the lock.
"""

from functools import partial

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, OuterRef

from accounts.audit import log as audit
from accounts.models import Action
from appointments import booking_rules, clock
from appointments.lifecycle import MOVES, UPCOMING, Status, transition_to
from appointments.locks import conflicting_slots, lock_patient, lock_slot, lock_slots
from appointments.models import Appointment, AppointmentHistory
from appointments.signals import appointment_changed
from config.db.transactions import atomic_with_retry
from config.db.versioning import check_version
from config.errors import rule_error

ALTERNATIVES = 3  # how many other slots a refusal offers

CHANGED_BY = {"book": [], "reschedule": ["status", "time_slot"]}  # any other move: the status

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
def book(*, patient, time_slot, by, **details):
    """A new appointment in a free slot.

    Refusals: `slot_in_past`, `slot_taken`, `patient_overlap`, those of the policy; a slot that is
    withdrawn or whose doctor cannot be booked, and a patient whose record is closed, are bad input.
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
def move(appointment, action, *, by, reason="", time_slot=None, if_version=None):
    """Take one step of lifecycle.MOVES; `reschedule` into the `time_slot` given.

    Refused with `invalid_transition`, and the moves that are open, where the table says no; then
    by the policy.
    """
    if action == "reschedule":
        patient = lock_patient(appointment.patient_id)
        lock_slots({appointment.time_slot_id, time_slot.pk})
    appointment = lock(appointment)
    check_version(appointment, if_version)
    before = appointment.status, appointment.starts_at
    state = {"status": appointment.status, "starts_at": appointment.starts_at}
    if not MOVES[action].is_allowed_from(**state, role=by.role, now=clock.now()):
        raise invalid_transition(appointment, by, f"{action.replace('_', '-')} an appointment")
    booking_rules.check_move(appointment, action, by=by)
    if action == "reschedule":
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
def update(appointment, *, by, status=None, if_version=None, **details):
    """Change visit details (while the visit is ahead) and `doctor_notes` (always).

    A `status` is a move: the one whose target it is, in the same transaction.
    """
    appointment = lock(appointment)
    check_version(appointment, if_version)
    changed = {name for name, value in details.items() if getattr(appointment, name) != value}
    if changed & VISIT_DETAILS and appointment.status not in UPCOMING:
        raise invalid_transition(appointment, by, "change the details of an appointment")
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
        raise invalid_transition(
            appointment, by, f"set back to {Status(status).label.lower()} an appointment"
        )
    return move(appointment, action, by=by)


@atomic_with_retry
def cancel_coming(patient, *, by):
    """Cancel what a patient whose record is closed still has ahead."""
    for appointment in Appointment.objects.upcoming().filter(patient=patient).order_by("pk"):
        if lock(appointment).status in UPCOMING:  # it may have been ended a moment ago
            move(appointment, "cancel", by=by, reason="The patient's record was closed.")


def lock(appointment):
    """The appointment as it is now, held until the transaction ends."""
    rows = Appointment.objects.select_for_update(of=("self",), no_key=True).with_people()
    return rows.get(pk=appointment.pk)


def invalid_transition(appointment, by, what):
    """The 409 for something the appointment's state does not allow."""
    allowed = booking_rules.open_moves(appointment, role=by.role)
    state = appointment.get_status_display().lower()
    sentence = "Cannot %(what)s that is %(state)s."
    return rule_error(
        "status", sentence, "invalid_transition", what=what, state=state, allowed=allowed
    )


def _lock_free_slot(time_slot, patient, by):
    """The slot, locked and free for the patient: the next to ask waits, and then finds it taken.

    Whether it is free is asked in a statement of its own, after the locks: only that sees what
    another transaction committed while this one waited.
    """
    slot = lock_slot(time_slot.pk)
    if slot.withdrawn_at or not slot.doctor.is_bookable:
        raise ValidationError({"time_slot": "This time slot is not offered any more."})
    if slot.starts_at <= clock.now():
        raise rule_error("time_slot", "This time slot lies in the past.", "slot_in_past")
    if holders := conflicting_slots(slot, patient):
        if slot.pk in holders:
            others = partial(_alternatives, slot, patient, by)
            sentence = "This time slot is taken."
            raise rule_error("time_slot", sentence, "slot_taken", alternatives=others)
        sentence = "The patient has another appointment at that time."
        raise rule_error("time_slot", sentence, "patient_overlap")
    return slot


def _alternatives(slot, patient, by):
    """The doctor's nearest free slots that `by` may book and that leave the patient in one place.

    Soonest first, as a client reads them.
    """
    elsewhere = patient.appointments.live().overlapping(OuterRef("starts_at"), OuterRef("ends_at"))
    free = booking_rules.bookable_by(by, slot.doctor.time_slots.filter(~Exists(elsewhere)))
    later = free.filter(starts_at__gt=slot.starts_at).order_by("starts_at")[:ALTERNATIVES]
    earlier = free.filter(starts_at__lt=slot.starts_at).order_by("-starts_at")[:ALTERNATIVES]
    nearest = sorted([*later, *earlier], key=lambda one: abs(one.starts_at - slot.starts_at))
    return [
        {
            "time_slot": one.pk,
            "starts_at": clock.to_clinic_time(one.starts_at).isoformat(),
            "ends_at": clock.to_clinic_time(one.ends_at).isoformat(),
        }
        for one in sorted(nearest[:ALTERNATIVES], key=lambda one: one.starts_at)
    ]


def _check_new_slot(appointment, time_slot):
    if time_slot.pk == appointment.time_slot_id:
        raise ValidationError({"time_slot": "The appointment is in this slot already."})
    if time_slot.doctor_id != appointment.doctor_id:
        raise ValidationError({"time_slot": "Choose a slot of the same doctor."})


def _record_history(appointment, action, *, by, before=("", None), reason="", changes=()):
    """The history row, the audit's, and word of it to whoever listens, once it is committed."""
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
        fields=changes or CHANGED_BY.get(action, ["status"]),
        action=Action.CREATE if action == "book" else Action.UPDATE,
    )
    transaction.on_commit(
        lambda: appointment_changed.send_robust(sender=AppointmentHistory, entry=entry)
    )
