"""What gunicorn serves. It refuses to start where only a development machine may."""

import os

from django.core.wsgi import get_wsgi_application

from config.http.content_type import wsgi_content_type_check
from config.production_guard import refuse_unsafe_production

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = wsgi_content_type_check(get_wsgi_application())
refuse_unsafe_production()
