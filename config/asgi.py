"""The ASGI application. The benchmarks measure gunicorn with config.wsgi."""

import os

from django.core.asgi import get_asgi_application

from config.http.content_type import asgi_content_type_check
from config.production_guard import refuse_unsafe_production

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = asgi_content_type_check(get_asgi_application())
refuse_unsafe_production()
