"""How gunicorn serves the platform: `gunicorn` alone, in this folder, is enough."""

import gc
from importlib import import_module

from decouple import config as read  # gunicorn takes every plain name here for a setting
from gunicorn.glogging import Logger


class WithoutAccessLog(Logger):
    """A line for each request writes the platform (config.http.access_log), not gunicorn, which
    knows only the address with its query string, and makes all that a line may say even of one
    that nobody wants.
    """

    def access(self, resp, req, environ, request_time):
        pass


wsgi_app = "config.wsgi"
bind = read("BIND", default="") or "127.0.0.1:8000"
worker_class = "gthread"
workers = int(read("WEB_CONCURRENCY", default="") or 1)  # more want a CACHE_URL
threads = int(read("THREADS", default="") or 8)
limit_request_line = 8190  # a long search is answered by the API, in its envelope
control_socket_disable = True  # no socket in the home directory
logger_class = WithoutAccessLog
# What gunicorn says itself, as careful as the platform: its complaints quote the request.
logconfig_dict = {
    "formatters": {"json": {"()": "config.http.log_formatter.JSONFormatter"}},
    "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"level": "INFO", "handlers": ["lines"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["lines"], "propagate": False},
    },
}


def post_worker_init(worker):
    """What the platform itself is made of stays: the garbage collector need not look through it."""
    import_module("config.urls")  # and by it all views, which the first request would wait for
    gc.collect()
    gc.freeze()
