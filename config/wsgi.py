"""The WSGI application. It does not start with settings that are unsafe in production."""

import os

from django.core.wsgi import get_wsgi_application

from config.http.content_type import wsgi_content_type_check
from config.http.unread_body import wsgi_read_whole_body
from config.production_guard import refuse_unsafe_production

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = wsgi_read_whole_body(wsgi_content_type_check(get_wsgi_application()))
refuse_unsafe_production()
