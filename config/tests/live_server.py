"""The WSGI application as gunicorn serves it, inside the transaction of a test."""

from contextlib import contextmanager

from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from config.http.content_type import wsgi_content_type_check


def application():
    return wsgi_content_type_check(WSGIHandler())


@contextmanager
def keep_connection_open():
    """Keeps Django from closing the connection, and so the test's transaction, between requests."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)
