from django.apps import AppConfig

from config.db import constraint_errors


class ConsultationsConfig(AppConfig):
    name = "consultations"

    def ready(self):
        # Models must be loaded before the services can be.
        from consultations import services  # noqa: PLC0415

        constraint_errors.CONSTRAINT_ERRORS["consultations.Consultation.appointment"] = (
            services.exists_already
        )
