from django.apps import AppConfig
from django.db.models.signals import post_migrate

from config.db import constraint_errors


class AppointmentsConfig(AppConfig):
    name = "appointments"

    def ready(self):
        # Models must be loaded before the services can be.
        from appointments import overlap_constraints, services  # noqa: PLC0415
        from patients.signals import patient_deactivated  # noqa: PLC0415

        def cancel_coming(sender, patient, by, **kwargs):
            services.cancel_coming(patient, by=by)

        patient_deactivated.connect(cancel_coming, weak=False, dispatch_uid="cancel_coming")
        post_migrate.connect(overlap_constraints.install_after_migrate, sender=self)
        for guard in overlap_constraints.OVERLAP_CONSTRAINTS:
            constraint_errors.CONSTRAINT_ERRORS[guard.name] = guard.validation_error
