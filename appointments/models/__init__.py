"""Time slots, appointments and the history of appointments."""

from appointments.models.appointments import Appointment
from appointments.models.base import (
    NOT_CANCELLED,
    LocalTimesMixin,
    TimeStampedModel,
    choice_order,
    overlaps,
)
from appointments.models.history import AppointmentHistory
from appointments.models.slots import TimeSlot, is_held

__all__ = [
    "NOT_CANCELLED",
    "Appointment",
    "AppointmentHistory",
    "LocalTimesMixin",
    "TimeSlot",
    "TimeStampedModel",
    "choice_order",
    "is_held",
    "overlaps",
]
