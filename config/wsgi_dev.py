"""What `runserver` serves: as config.wsgi, without the gate before production."""

from django.core.wsgi import get_wsgi_application

from config.http.content_type import wsgi_content_type_check

application = wsgi_content_type_check(get_wsgi_application())
