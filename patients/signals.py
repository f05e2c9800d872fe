"""Signals for the apps that depend on patients, sent inside the transaction of the change.

Receivers get `patient` and `by`, the user who makes the change.
"""

from django.dispatch import Signal

patient_deactivated = Signal()
patient_anonymising = Signal()  # before: appointments and consultations can still be closed
patient_anonymised = Signal()
