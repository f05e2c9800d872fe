from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from config.db import constraint_errors


class AppointmentsConfig(AppConfig):
    name = "appointments"
    verbose_name = _("Appointments")

    def ready(self):
        # These modules import models, which are loaded only when ready() runs.
        from appointments import overlap_constraints, services  # noqa: PLC0415
        from patients.signals import patient_deactivated  # noqa: PLC0415

        def cancel_upcoming(sender, patient, by, **kwargs):
            services.cancel_upcoming(patient, by=by)

        patient_deactivated.connect(cancel_upcoming, weak=False, dispatch_uid="cancel_upcoming")
        post_migrate.connect(overlap_constraints.install_after_migrate, sender=self)
        for constraint in overlap_constraints.OVERLAP_CONSTRAINTS:
            constraint_errors.CONSTRAINT_ERRORS[constraint.name] = constraint.validation_error
