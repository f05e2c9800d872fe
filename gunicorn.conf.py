"""Settings of gunicorn: run `gunicorn` in this folder."""

import ctypes
import gc
from importlib import import_module
from pathlib import Path
from runpy import run_path

from gunicorn.glogging import Logger

# Run and not imported, so that a reload (SIGHUP) reads the variables again. gunicorn reads every
# public name here as a setting, and `config` is one.
read = run_path(str(Path(__file__).with_name("config") / "environment.py"))["config"]


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


# Options of mallopt(3): large texts and pictures are memory of their own, which goes back to the
# system when it is free, and the threads share two heaps. Else a worker keeps its largest size.
M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
LARGE_BLOCK = 256 * 1024  # bytes


def post_fork(server, worker):
    """Limit the memory that a worker keeps, where the C library is glibc."""
    if hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        libc.mallopt(M_ARENA_MAX, 2)


def post_worker_init(worker):
    """Exclude the loaded modules from garbage collection."""
    import_module("config.urls")  # imports all views, so that the first request need not
    gc.collect()
    gc.freeze()


def pre_request(worker, req):
    """Announce that the connection closes, if the body is too long to be read to its end."""
    import_module("config.http.unread_body").announce_close(req)
