from django.apps import AppConfig


class ConfigConfig(AppConfig):
    name = "config"

    def ready(self):
        # Registers the system checks; models must be loaded before it can be imported.
        from config import checks  # noqa: F401, PLC0415
