from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from config.db import constraint_errors


class ConsultationsConfig(AppConfig):
    name = "consultations"
    verbose_name = _("Consultations")

    def ready(self):
        # The services import models, which are loaded only when ready() runs.
        from consultations import services  # noqa: PLC0415

        constraint_errors.CONSTRAINT_ERRORS["consultations.Consultation.appointment"] = (
            services.already_exists
        )
