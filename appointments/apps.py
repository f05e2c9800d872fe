from django.apps import AppConfig
from django.db.models.signals import post_migrate

from config.api import integrity


class AppointmentsConfig(AppConfig):
    name = "appointments"

    def ready(self):
        # Models must be loaded before the services can be.
        from appointments import guards, services  # noqa: PLC0415
        from patients.signals import patient_anonymised, patient_deactivated  # noqa: PLC0415

        def cancel_coming(sender, patient, by, **kwargs):
            services.cancel_coming(patient, by=by)

        def anonymise(sender, patient, by, **kwargs):
            services.anonymise(patient, by=by)

        patient_deactivated.connect(cancel_coming, weak=False, dispatch_uid="cancel_coming")
        patient_anonymised.connect(anonymise, weak=False, dispatch_uid="anonymise_appointments")
        post_migrate.connect(guards.install_after_migrate, sender=self)
        for guard in guards.GUARDS:
            integrity.REFUSALS[guard.name] = guard.refusal
