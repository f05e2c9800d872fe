"""The row locks of a booking, and the check for conflicts that follows them.

Every caller takes locks in one order: the patient, then slots by id, then the appointment. On
SQLite the IMMEDIATE transaction is the lock.
"""

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import BOOKABLE_FIELDS, NAME_FIELDS, Doctor
from appointments.models import Appointment, TimeSlot, overlaps
from config.db.prepared import PreparedQuery, record_of
from patients.models import Patient


def _slots():
    slots = TimeSlot.objects.select_for_update(of=("self",), no_key=True).order_by()
    return slots.with_bookable()


def _patient(pk):
    return Patient.objects.select_for_update(no_key=True).order_by().filter(pk=pk)


def _slot(pk):
    return _slots().filter(pk=pk)


def _conflicts(slot, patient, starts_at, ends_at):
    at_that_time = Q(patient=patient) & overlaps(starts_at, ends_at)
    return Appointment.objects.live().filter(Q(time_slot=slot) | at_that_time).order_by()


PATIENT_QUERY = PreparedQuery(_patient, record=record_of(Patient))
SLOT_QUERY = PreparedQuery(
    _slot,
    record=record_of(
        TimeSlot, doctor=(Doctor, {"id", *NAME_FIELDS, *BOOKABLE_FIELDS, "specialization"})
    ),
)
CONFLICT_QUERY = PreparedQuery(_conflicts, columns=["time_slot"])


def lock_patient(pk):
    """Return the patient, locked until the transaction ends.

    Raises ValidationError for a patient whose record is closed.
    """
    patient = find_and_lock_patient(pk)
    check_record_open(patient)
    return patient


def find_and_lock_patient(pk):
    """Return the patient, locked until the transaction ends, or None."""
    return next(iter(PATIENT_QUERY.rows(pk)), None)


def check_record_open(patient):
    if patient is None or not patient.is_active:
        raise ValidationError({"patient": _("This patient's record is closed.")})


def lock_slot(pk):
    """Return the slot with its doctor; the slot's row is locked until the transaction ends."""
    [slot] = SLOT_QUERY.rows(pk)
    return slot


def lock_slots(ids):
    """Return the slots with their doctors, locked in the order of their ids."""
    return list(_slots().filter(pk__in=ids).order_by("pk"))


def conflicting_slots(slot, patient):
    """Return the ids of the slots of live appointments in the slot, or of the patient at that time.

    The check is a statement of its own after the locks: only such a statement sees what another
    transaction committed while this one waited.
    """
    rows = CONFLICT_QUERY.rows(slot.pk, patient.pk, slot.starts_at, slot.ends_at)
    return {time_slot for (time_slot,) in rows}
