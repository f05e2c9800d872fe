"""The clinical records of this app. See `config.clinical_records`."""

from django.utils.translation import gettext_lazy as _

from config.clinical_records import ClinicalRecord, Section
from patients.models import EmergencyAccess, Patient

CLINICAL_RECORDS = [
    ClinicalRecord(
        Patient,
        patient="pk",
        route="patients",
        viewset="patients.viewsets.PatientViewSet",
        basename="patient",
        section=Section.PEOPLE,
        title=_("Patients"),
        icon="personal_injury",
        export="record",
        exported=_("The record and the account."),
    ),
    ClinicalRecord(
        EmergencyAccess,
        patient="patient",
        part_of="patient",
        route="emergency-access",
        viewset="patients.viewsets.EmergencyAccessViewSet",
        basename="emergencyaccess",
        section=Section.AUDIT,
        title=_("Emergency access"),
        icon="emergency",
        export="emergency-access",
        exported=_("Doctors who read the record in an emergency, and why."),
    ),
]
