from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self):
        # Registers the system checks, which import models.
        from config import checks  # noqa: F401, PLC0415
