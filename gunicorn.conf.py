"""How gunicorn serves the platform: `gunicorn` alone, in this folder, is enough."""

from decouple import config as read  # gunicorn takes every plain name here for a setting

wsgi_app = "config.wsgi"
bind = read("BIND", default="") or "127.0.0.1:8000"
worker_class = "gthread"
workers = int(read("WEB_CONCURRENCY", default="") or 2)
threads = int(read("THREADS", default="") or 4)
limit_request_line = 8190  # a long search is answered by the API, in its envelope
control_socket_disable = True  # no socket in the home directory
