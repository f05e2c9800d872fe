"""What gunicorn serves. It refuses to start where only a development machine may."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from django.core.wsgi import get_wsgi_application  # noqa: E402

application = get_wsgi_application()

from config.checks import refuse_unsafe_production  # noqa: E402

refuse_unsafe_production()
