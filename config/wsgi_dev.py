"""The WSGI application of `runserver`: config.wsgi without the check of production settings."""

from django.core.wsgi import get_wsgi_application

from config.http.content_type import wsgi_content_type_check
from config.http.unread_body import wsgi_read_whole_body

application = wsgi_read_whole_body(wsgi_content_type_check(get_wsgi_application()))
