from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from config.db import constraint_errors


class ConsultationsConfig(AppConfig):
    name = "consultations"
    verbose_name = _("Consultations")

    def ready(self):
        # The services import models, which are loaded only when ready() runs.
        from consultations import services  # noqa: PLC0415
        from patients.signals import patient_anonymising  # noqa: PLC0415

        # After the receiver of appointments, which is connected first.
        def complete_open(sender, patient, by, **kwargs):
            services.complete_open(patient, by=by)

        patient_anonymising.connect(
            complete_open, weak=False, dispatch_uid="complete_open_consultations"
        )

        constraint_errors.CONSTRAINT_ERRORS["consultations.Consultation.appointment"] = (
            services.already_exists
        )
