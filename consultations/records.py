"""The clinical records of this app. See `config.clinical_records`."""

from functools import partial

from django.utils.translation import gettext_lazy as _

from config.clinical_records import ClinicalRecord, Section
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns

ConsultationPart = partial(
    ClinicalRecord, patient="consultation__patient", part_of="consultation", section=Section.RECORDS
)

CLINICAL_RECORDS = [
    ClinicalRecord(
        Consultation,
        patient="patient",
        route="consultations",
        viewset="consultations.viewsets.ConsultationViewSet",
        basename="consultation",
        section=Section.CLINIC,
        title=_("Consultations"),
        icon="stethoscope",
        export="consultations",
        versions="consultation-versions",
        exported=_("Consultations, each with what was recorded in it."),
    ),
    ConsultationPart(
        VitalSigns,
        route="vital-signs",
        viewset="consultations.viewsets.VitalSignsViewSet",
        title=_("Vital signs"),
        icon="vital_signs",
        versions="vital-signs-versions",
    ),
    ConsultationPart(
        Prescription,
        route="prescriptions",
        viewset="consultations.viewsets.PrescriptionViewSet",
        title=_("Prescriptions"),
        icon="pill",
        versions="prescription-versions",
    ),
    ConsultationPart(
        ConsultationNote,
        route="notes",
        viewset="consultations.viewsets.ConsultationNoteViewSet",
        title=_("Notes"),
        icon="clinical_notes",
        versions="note-versions",
    ),
]
