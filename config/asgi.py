"""For those who must serve over ASGI; gunicorn and config.wsgi are what is measured."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.asgi import get_asgi_application  # noqa: E402

application = get_asgi_application()

from config.checks import refuse_unsafe_production  # noqa: E402

refuse_unsafe_production()
