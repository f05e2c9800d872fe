"""Ends the appointments of a patient whose record is closed or anonymised."""

from django.db.models import QuerySet

from accounts.models import User
from appointments import move_rules, services
from appointments.lifecycle import OPEN, UPCOMING, Status
from appointments.models import Appointment
from config.db.transactions import atomic_with_retry
from patients.models import Patient


@atomic_with_retry
def cancel_upcoming(patient: Patient, *, by: User) -> None:
    """Cancel the upcoming appointments of a patient whose record is being closed."""
    upcoming = Appointment.objects.upcoming().filter(patient=patient)
    _end_all(upcoming, dict.fromkeys(UPCOMING, "cancel"), by, "The patient's record was closed.")


@atomic_with_retry
def end_open(patient: Patient, *, by: User) -> None:
    """End every open appointment of a patient who is being anonymised, also the past ones.

    A visit that has begun is completed. Any other one is cancelled: nobody noted that it took
    place, nor that the patient missed it. One that was started before its day has not begun.
    """
    moves = dict.fromkeys(UPCOMING, "cancel") | {Status.IN_PROGRESS: "complete"}
    open_ones = Appointment.objects.filter(patient=patient, status__in=OPEN)
    _end_all(open_ones, moves, by, "The patient's record was anonymised.")


def _end_all(
    appointments: QuerySet[Appointment], moves: dict[Status, str], by: User, reason: str
) -> None:
    for appointment in appointments.order_by("pk"):
        locked = services.lock(appointment)  # the status may have changed before the lock
        action = moves.get(Status(locked.status))
        if action == "complete" and not move_rules.day_has_come(locked):
            action = "cancel"
        if action:
            services.move(locked, action, by=by, reason=reason)
