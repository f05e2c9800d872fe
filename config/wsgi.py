"""What gunicorn serves. It refuses to start where only a development machine may."""

import os

from django.core.wsgi import get_wsgi_application

from config.api.content_type import wsgi_with_readable_content_type
from config.gate import refuse_unsafe_production

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = wsgi_with_readable_content_type(get_wsgi_application())
refuse_unsafe_production()
