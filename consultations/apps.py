from django.apps import AppConfig

from config.api import integrity


class ConsultationsConfig(AppConfig):
    name = "consultations"

    def ready(self):
        # Models must be loaded before the services can be.
        from consultations import services  # noqa: PLC0415

        integrity.REFUSALS["consultations.Consultation.appointment"] = services.exists_already
