"""Signals for what follows a change of an appointment, such as notifications."""

from django.dispatch import Signal

# Sent after the commit. `entry` is the AppointmentHistory row of the change.
appointment_changed = Signal()
