"""The door through which later apps hear of a patient; sent inside the transaction."""

from django.dispatch import Signal

patient_deactivated = Signal()  # patient, by
patient_anonymised = Signal()  # patient, by
