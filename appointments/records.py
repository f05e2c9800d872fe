"""The clinical records of this app. See `config.clinical_records`."""

from django.utils.translation import gettext_lazy as _

from appointments.models import Appointment, AppointmentHistory
from config.clinical_records import ClinicalRecord, Section

CLINICAL_RECORDS = [
    ClinicalRecord(
        Appointment,
        patient="patient",
        route="appointments",
        viewset="appointments.viewsets.AppointmentViewSet",
        basename="appointment",
        section=Section.CLINIC,
        title=_("Appointments"),
        icon="event",
        export="appointments",
        exported=_("Appointments, each with what happened to it."),
        personal=("contact_phone",),
    ),
    ClinicalRecord(
        AppointmentHistory,
        patient="appointment__patient",
        part_of="appointment",
        section=Section.AUDIT,
        title=_("Appointment history"),
        icon="history",
    ),
]
