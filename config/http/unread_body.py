"""Reads what a refused request has left of its body, so that its connection can be used again.

A response may be complete before the body was read: 401, 404, 405, 415. gunicorn announces that the
connection stays open, discards up to 64 kB of the body and closes the connection if more is left.
The client's next request on the connection would be lost.
"""

from contextlib import suppress

from django.conf import settings

CHUNK = 64 * 1024


class CountedBody:
    """The input stream of a WSGI request, and how much of it is left."""

    def __init__(self, stream, left):
        self.stream, self.left = stream, left

    def read(self, *size):
        return self._count(self.stream.read(*size))

    def readline(self, *size):
        return self._count(self.stream.readline(*size))

    def readlines(self, *hint):
        return list(map(self._count, self.stream.readlines(*hint)))

    def __iter__(self):
        return map(self._count, self.stream)

    def discard_rest(self):
        with suppress(OSError):  # the client is gone
            while self.left > 0 and self.read(min(CHUNK, self.left)):
                pass

    def _count(self, data):
        self.left -= len(data)
        return data


def wsgi_read_whole_body(application):
    """Decorate a WSGI application to read each body, up to MAX_UPLOAD_BYTES, before it answers."""

    def serve(environ, start_response):
        length = body_length(environ)
        if not length:
            return application(environ, start_response)
        body = environ["wsgi.input"] = CountedBody(environ["wsgi.input"], length)

        def start(*args):
            body.discard_rest()
            return start_response(*args)

        return application(environ, start)

    return serve


def body_length(environ):
    """Return the number of bytes to read at most; a chunked body names none."""
    if "HTTP_TRANSFER_ENCODING" in environ:
        return settings.MAX_UPLOAD_BYTES
    try:
        return min(int(environ.get("CONTENT_LENGTH") or 0), settings.MAX_UPLOAD_BYTES)
    except ValueError:
        return 0
