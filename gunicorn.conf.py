"""How gunicorn serves the platform: `gunicorn` alone, in this folder, is enough."""

import os

wsgi_app = "config.wsgi"
bind = os.environ.get("BIND") or "127.0.0.1:8000"
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY") or 2)
threads = int(os.environ.get("THREADS") or 4)
limit_request_line = 8190  # a long search is answered by the API, in its envelope
control_socket_disable = True  # no socket in the home directory
