"""The whole body of a refused request is read, so that its connection can be used again."""

import io

import pytest
from django.conf import settings

from config.http.unread_body import wsgi_read_whole_body

HUGE = settings.MAX_UPLOAD_BYTES + 500_000


def refuse(environ, start_response):
    start_response("401 Unauthorized", [])
    return [b""]


def left_after(environ, application=refuse):
    """Calls the application; returns the number of bytes that nobody has read."""
    stream = environ["wsgi.input"]
    list(wsgi_read_whole_body(application)(environ, lambda *args: None))
    return len(stream.read())


@pytest.mark.parametrize("size", [1, 64 * 1024, 65 * 1024 + 1, 900_000])
def test_an_unread_body_is_read_before_the_response_starts(size):
    environ = {"CONTENT_LENGTH": str(size), "wsgi.input": io.BytesIO(b"x" * size)}

    assert left_after(environ) == 0


def test_the_rest_of_a_body_is_read():
    def read_some(environ, start_response):
        environ["wsgi.input"].read(10)
        environ["wsgi.input"].readline(10)
        return refuse(environ, start_response)

    environ = {"CONTENT_LENGTH": "100000", "wsgi.input": io.BytesIO(b"x" * 100_000)}

    assert left_after(environ, read_some) == 0


def test_a_chunked_body_is_read():
    environ = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input": io.BytesIO(b"x" * 900_000)}

    assert left_after(environ) == 0


def test_the_next_request_of_the_connection_is_not_read():
    environ = {"CONTENT_LENGTH": "5", "wsgi.input": io.BytesIO(b"helloGET / HTTP/1.1")}

    assert left_after(environ) == len(b"GET / HTTP/1.1")


def test_a_body_beyond_the_limit_is_not_read_to_its_end():
    environ = {"CONTENT_LENGTH": str(HUGE), "wsgi.input": io.BytesIO(b"x" * HUGE)}

    assert left_after(environ) == 500_000


@pytest.mark.parametrize("length", ["", "0", "many", "-5"])
def test_a_request_without_a_length_is_not_read(length):
    environ = {"CONTENT_LENGTH": length, "wsgi.input": io.BytesIO(b"GET / HTTP/1.1")}

    assert left_after(environ) == len(b"GET / HTTP/1.1")


def test_a_client_that_hangs_up_does_not_fail_the_response():
    class Gone(io.BytesIO):
        def read(self, *size):
            raise ConnectionResetError

    started = []
    environ = {"CONTENT_LENGTH": "100", "wsgi.input": Gone()}

    list(wsgi_read_whole_body(refuse)(environ, lambda *args: started.append(args[0])))

    assert started == ["401 Unauthorized"]
