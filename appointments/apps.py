from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _

from config.db import constraint_errors


class AppointmentsConfig(AppConfig):
    name = "appointments"
    verbose_name = _("Appointments")

    def ready(self):
        # These modules import models, which are loaded only when ready() runs.
        from appointments import overlap_constraints, record_closing  # noqa: PLC0415
        from patients.signals import (  # noqa: PLC0415
            patient_anonymising,
            patient_deactivated,
        )

        def cancel_upcoming(sender, patient, by, **kwargs):
            record_closing.cancel_upcoming(patient, by=by)

        def end_open(sender, patient, by, **kwargs):
            record_closing.end_open(patient, by=by)

        patient_anonymising.connect(end_open, weak=False, dispatch_uid="end_open_appointments")
        patient_deactivated.connect(cancel_upcoming, weak=False, dispatch_uid="cancel_upcoming")
        post_migrate.connect(overlap_constraints.install_after_migrate, sender=self)
        for constraint in overlap_constraints.OVERLAP_CONSTRAINTS:
            constraint_errors.CONSTRAINT_ERRORS[constraint.name] = constraint.validation_error
