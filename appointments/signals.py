"""The door for what follows a change of an appointment, such as notifications."""

from django.dispatch import Signal

appointment_changed = Signal()  # entry: the AppointmentHistory row; sent after the commit
