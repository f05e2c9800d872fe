from django.apps import AppConfig, apps


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self):
        # Registers the system checks, which import models.
        from config import checks  # noqa: F401, PLC0415
        from config.field_names import translate_names  # noqa: PLC0415

        translate_names(apps.get_models())
