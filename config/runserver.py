"""What `runserver` serves: as config.wsgi, without the gate before production."""

from django.core.wsgi import get_wsgi_application

from config.api.content_type import wsgi_with_readable_content_type

application = wsgi_with_readable_content_type(get_wsgi_application())
