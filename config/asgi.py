"""For those who must serve over ASGI; gunicorn and config.wsgi are what is measured."""

import os

from django.core.asgi import get_asgi_application

from config.api.content_type import asgi_with_readable_content_type
from config.gate import refuse_unsafe_production

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = asgi_with_readable_content_type(get_asgi_application())
refuse_unsafe_production()
