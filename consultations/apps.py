from django.apps import AppConfig

from config.db import constraint_errors


class ConsultationsConfig(AppConfig):
    name = "consultations"

    def ready(self):
        # Models must be loaded before the services can be.
        from consultations import services  # noqa: PLC0415
        from patients.signals import patient_anonymised  # noqa: PLC0415

        def anonymise(sender, patient, **kwargs):
            services.anonymise(patient)

        patient_anonymised.connect(anonymise, weak=False, dispatch_uid="anonymise_consultations")
        constraint_errors.CONSTRAINT_ERRORS["consultations.Consultation.appointment"] = (
            services.exists_already
        )
