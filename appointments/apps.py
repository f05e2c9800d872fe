from django.apps import AppConfig


class AppointmentsConfig(AppConfig):
    name = "appointments"

    def ready(self):
        # Models must be loaded before the services can be.
        from appointments import services  # noqa: PLC0415
        from patients.signals import patient_deactivated  # noqa: PLC0415

        def cancel_coming(sender, patient, by, **kwargs):
            services.cancel_coming(patient, by=by)

        patient_deactivated.connect(cancel_coming, weak=False, dispatch_uid="cancel_coming")
