from django.apps import AppConfig

from config.db import constraint_errors


class ConsultationsConfig(AppConfig):
    name = "consultations"

    def ready(self):
        # The services import models, which are loaded only when ready() runs.
        from consultations import services  # noqa: PLC0415

        constraint_errors.CONSTRAINT_ERRORS["consultations.Consultation.appointment"] = (
            services.already_exists
        )
