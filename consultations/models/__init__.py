"""Consultations and their parts."""

from consultations.models.consultations import (
    DID_NOT_TAKE_PLACE,
    Consultation,
    duration_of,
    status_of,
)
from consultations.models.parts import ConsultationNote, ConsultationPart, Prescription, VitalSigns

__all__ = [
    "DID_NOT_TAKE_PLACE",
    "Consultation",
    "ConsultationNote",
    "ConsultationPart",
    "Prescription",
    "VitalSigns",
    "duration_of",
    "status_of",
]
