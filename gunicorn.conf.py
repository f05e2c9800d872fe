"""Settings of gunicorn: run `gunicorn` in this folder."""

import gc
import sys
from importlib import import_module
from pathlib import Path

from gunicorn.glogging import Logger

sys.path.insert(0, str(Path(__file__).parent))  # gunicorn adds the folder later
read = import_module("config.environment").config  # `config` is a setting of gunicorn


class WithoutAccessLog(Logger):
    """Turns off gunicorn's access log, which would contain query strings.

    config.http.access_log writes a line per request instead.
    """

    def access(self, resp, req, environ, request_time):
        pass


wsgi_app = "config.wsgi"
bind = read("BIND", default="127.0.0.1:8000")
worker_class = "gthread"
workers = read("WEB_CONCURRENCY", default=1, cast=int)  # set CACHE_URL if there is more than one
threads = read("THREADS", default=8, cast=int)
forwarder_headers = ""  # no client or proxy changes SCRIPT_NAME
limit_request_line = 8190  # the API answers a long search in its envelope
control_socket_disable = True  # no socket in the home directory
logger_class = WithoutAccessLog
# gunicorn's own messages may quote a request, so that they are redacted as well.
logconfig_dict = {
    "formatters": {"json": {"()": "config.http.log_formatter.JSONFormatter"}},
    "handlers": {"lines": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"level": "INFO", "handlers": ["lines"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": ["lines"], "propagate": False},
    },
}


def post_worker_init(worker):
    """Exclude the loaded modules from garbage collection."""
    import_module("config.urls")  # imports all views, so that the first request need not
    gc.collect()
    gc.freeze()
