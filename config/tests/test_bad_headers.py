"""Malformed or malicious headers get a 4xx in the envelope, or are ignored."""

import json
from itertools import product

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from django.utils.module_loading import import_string
from werkzeug.test import Client as WsgiClient

from config.api.etags import ENTITY_TAGS
from config.http.content_type import is_readable
from config.tests.live_server import keep_connection_open
from config.tests.test_bad_input import (
    ENDPOINTS,
    WRITING,
    address_of,
    assert_refused,
    caller,
    quiet,
    row_counts,
)

__all__ = ["caller", "quiet"]  # fixtures

pytestmark = pytest.mark.usefixtures("quiet")

PROFILE = "/api/auth/profile/"
INVALID_HEADERS = [
    "\x00",
    "a\x00b",
    "\x01\x1b[31m",
    "\xff\xfe",
    "\xe2\x80\x8b",
    "%00",
    "a\r\nX-Evil: 1",
    "x" * 100_000,
]
KEYED = [
    (endpoint, method)
    for endpoint, method in WRITING
    if getattr(getattr(endpoint.view, endpoint.actions[method]), "takes_idempotency_key", False)
]


def send(client, endpoint, method, clinic, **headers):
    cache.clear()
    address = address_of(endpoint, clinic)
    return client.generic(method.upper(), address, "{}", "application/json", **headers)


def test_an_invalid_authorization_header_is_401(api, clinic):
    client, before = api(), row_counts()
    operations = [
        (endpoint, method.lower()) for endpoint in ENDPOINTS for method, _ in endpoint.methods
    ]
    assert len(operations) > 50

    for number, (endpoint, method) in enumerate(operations):
        value = INVALID_HEADERS[number % len(INVALID_HEADERS)]
        for header in (value, f"Bearer {value}"):
            answer = send(client, endpoint, method, clinic, HTTP_AUTHORIZATION=header)
            is_open = answer.status_code == 400 and endpoint.address.startswith("/api/auth/")
            assert answer.status_code == 401 or is_open, (method, endpoint.address, value[:9])
            assert_refused(answer, where=(method, endpoint.address, value[:9]))

    assert row_counts() == before


def test_an_invalid_idempotency_key_is_refused_by_name(caller, clinic):
    assert len(KEYED) > 10

    for endpoint, method in KEYED:
        for value in INVALID_HEADERS:
            answer = send(
                caller(endpoint, method), endpoint, method, clinic, HTTP_IDEMPOTENCY_KEY=value
            )
            where = (endpoint.address, value[:9])
            assert answer.status_code < 500, where
            if not (value.isprintable() and len(value) <= 255):
                assert answer.status_code == 400, where
                assert list(answer.json()["errors"]) == ["Idempotency-Key"], where


def test_an_invalid_if_match_is_refused_by_name(caller, clinic):
    before = row_counts()
    strange = ['"7', "7", 'W/"7', '"a" "b"', '"7",', f'"{"9" * 5000}"', '""', '"\u0663"']
    assert len(WRITING) > 20

    for endpoint, method in WRITING:
        for value in [*INVALID_HEADERS, *strange]:
            answer = send(caller(endpoint, method), endpoint, method, clinic, HTTP_IF_MATCH=value)
            where = (endpoint.address, value[:9])
            assert_refused(answer, where=where)
            if ENTITY_TAGS.fullmatch(value):
                assert answer.status_code == 412, where
            else:
                assert list(answer.json()["errors"]) == ["If-Match"], where

    assert row_counts() == before


def test_an_unsupported_accept_header_is_406(api, clinic):
    client = api(clinic.ada)
    unreadable = ["application/json; a*0=x; a*=y", "application/json; a*=foo''x", "/", ";;;"]

    for value in [*INVALID_HEADERS, *unreadable, "application/xml", "a/b," * 9000]:
        answer = client.get("/api/doctors/", HTTP_ACCEPT=value)
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable"), value[:9]


@pytest.mark.parametrize(
    "header", ["X_REQUEST_ID", "ACCEPT_LANGUAGE", "X_FORWARDED_FOR", "REFERER", "ORIGIN", "COOKIE"]
)
def test_an_irrelevant_invalid_header_is_ignored(api, clinic, header):
    client = api(clinic.ada)

    for value in INVALID_HEADERS:
        answer = client.get("/api/doctors/", **{f"HTTP_{header}": value})
        assert answer.status_code == 200, value[:9]
        assert answer["X-Request-ID"].isalnum()


@pytest.mark.parametrize("address", ["/api/doctors/", "/admin/login/", "/api-auth/login/"])
@pytest.mark.django_db
def test_an_invalid_session_cookie_is_ignored(address):
    r"""Django decodes \000 in a quoted cookie to a NUL, which PostgreSQL does not accept."""
    client = Client(raise_request_exception=False)

    for cookie in [r'"\000abcdefghi"', "abc.def-ghijkl", "x" * 5000, "\xff" * 20]:
        answer = client.get(address, HTTP_COOKIE=f"sessionid={cookie}")
        assert answer.status_code == (401 if address.startswith("/api/") else 200), cookie[:9]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.django_db
def test_an_unknown_host_is_400_in_the_envelope(settings, caplog, debug):
    settings.ALLOWED_HOSTS, settings.DEBUG = ["clinic.example"], debug
    caplog.set_level("CRITICAL", "django.security.DisallowedHost")  # an expected log entry
    client = Client(raise_request_exception=False)

    for host in ["evil.example", "a b", "\x00", "localhost:x", "[::1", "x" * 300, "a/../", ""]:
        answer = client.get("/api/doctors/", HTTP_HOST=host)
        assert (answer.status_code, answer.json()["code"]) == (400, "parse_error"), host[:9]
        assert answer.json()["request_id"] == answer["X-Request-ID"]


@pytest.mark.parametrize("header", ["X_HTTP_METHOD_OVERRIDE", "X_METHOD_OVERRIDE"])
def test_headers_and_fields_do_not_override_the_method(api, clinic, header):
    client = api(clinic.ada)
    address = f"/api/time-slots/{clinic.free.pk}/"

    read = client.get(address, **{f"HTTP_{header}": "DELETE"})
    posted = client.post(address, {}, **{f"HTTP_{header}": "DELETE"})
    by_field = client.post(f"{address}?_method=DELETE", {"_method": "DELETE"})

    assert [read.status_code, posted.status_code, by_field.status_code] == [200, 405, 405]
    assert client.get(address).status_code == 200


def test_a_body_without_a_content_length_is_refused(caller, clinic):
    before = row_counts()

    for endpoint, method in WRITING:
        answer = send(
            caller(endpoint, method), endpoint, method, clinic, HTTP_TRANSFER_ENCODING="chunked"
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "parse_error"), endpoint.address

    assert row_counts() == before


# --- Content-Type, which Django parses before the view: tested on the whole application -----

BROKEN_TYPES = [
    "application/json; charset*=foo''x",
    "application/json; a*0=x; a*=y",
    "application/json; a*=undefined''%ff",
    'application/json; charset="\x00"',
    "application/json; charset=hex",
    "application/json; charset=undefined",
    "application/json; charset=unicode_escape",
    "application/json; charset=utf-16",
    "application/json; charset=latin-1",
    "multipart/form-data; boundary*=foo''x",
    "\x00",
    "\xff",
    ";",
    "x" * 100_000,
]
WITHOUT_A_BOUNDARY = [
    "multipart/form-data",
    "multipart/form-data; boundary=",
    "multipart/form-data; boundary=\xff",
]


@pytest.fixture(params=["config.wsgi.application", settings.WSGI_APPLICATION])
def server(request, api, clinic):
    """Sends requests as Ada to the application of gunicorn or runserver, with an unchanged
    Content-Type.
    """
    client = WsgiClient(import_string(request.param))
    token = api(clinic.ada)._credentials["HTTP_AUTHORIZATION"]

    def send(method, address, body, content_type):
        environ = {"CONTENT_TYPE": content_type, "HTTP_AUTHORIZATION": token}
        with keep_connection_open():
            answer = client.open(address, method=method, data=body, environ_overrides=environ)
            return answer.status_code, json.loads(answer.data)

    return send


def test_a_malformed_content_type_is_415_and_ignored_for_a_get(server):
    before = row_counts()

    for content_type in BROKEN_TYPES:
        status, body = server("PATCH", PROFILE, b'{"phone": "030"}', content_type)
        asked, page = server("GET", "/api/patients/?search=%5Czzz", b"", content_type)
        assert (status, body["code"]) == (415, "unsupported_media_type"), content_type[:50]
        assert (asked, page["data"]["count"]) == (200, 0), content_type[:50]

    assert row_counts() == before


@pytest.mark.django_db
def test_a_malformed_content_type_is_415_over_asgi():
    application = import_string("config.asgi.application")
    halves = ["application/json; a*0=x", "b; a*=y"]  # each is valid on its own

    for content_types in [*([content_type] for content_type in BROKEN_TYPES), halves]:
        refused = status_over_asgi(application, "POST", "/api/auth/refresh/", content_types)
        served = status_over_asgi(application, "GET", "/healthz", content_types)
        assert (refused, served) == (415, 200), content_types[0][:50]

    honest = status_over_asgi(application, "POST", "/api/auth/refresh/", ["application/json"])
    assert honest == 400  # the token is missing


@async_to_sync
async def status_over_asgi(application, method, path, content_types):
    """Returns the status of the response to `{}`."""
    headers = [(b"content-type", sent.encode("latin-1")) for sent in content_types]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    scope["headers"] += [(b"host", b"localhost"), (b"content-length", b"2")]
    conversation = ApplicationCommunicator(application, scope)
    await conversation.send_input({"type": "http.request", "body": b"{}"})
    start = await conversation.receive_output()
    await conversation.wait()
    return start["status"]


def test_a_form_without_a_boundary_is_400(server):
    for content_type in WITHOUT_A_BOUNDARY:
        status, body = server("PATCH", PROFILE, b"--x--", content_type)
        assert (status, body["code"]) == (400, "parse_error"), content_type


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "multipart/form-data; boundary=x",
        "text/plain; format=flowed",
    ],
)
def test_a_valid_content_type_is_not_changed(content_type):
    assert is_readable(content_type)


# --- Forms ----------------------------------------------------------------------------------

PARTS = [
    b"name*0=x; name*=y",
    b"name*=foo''y",
    b"name*=undefined''x",
    b'name="phone\x00"',
    b'name="\xff"',
    b'name="' + b"x" * 5000 + b'"',
    b'name="phone"; filename="\x00.png"',
    b'name="avatar"; filename="../../../etc/passwd"',
    b'name="avatar"; filename="' + b"x" * 5000 + b'.png"',
    b"name=avatar; filename*=unicode_escape''%5Cud800",
    b"",
]
MORE = [
    b"",
    b"Content-Type: image/png; charset*=foo''x\r\n",
    b"Content-Type: a; a*0=x; a*=y\r\n",
    b"Content-Type: \xff\x00\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Length: -1\r\n",
    b"X: " + b"x" * 100_000 + b"\r\n",
]


@pytest.mark.parametrize("address", [PROFILE, "/api/patients/{pk}/"])
def test_a_form_with_malformed_parts_is_refused(api, clinic, address):
    client, before = api(clinic.ada), row_counts()

    for part, more in product(PARTS, MORE):
        head = b"--B\r\nContent-Disposition: form-data; %s\r\n%s\r\n" % (part, more)
        answer = client.generic(
            "PATCH",
            address.format(pk=clinic.jane.pk),
            head + b"xyz\r\n--B--\r\n",
            "multipart/form-data; boundary=B",
        )
        assert_refused(answer, where=(part[:40], more[:40]))

    assert row_counts() == before


def test_a_form_of_1001_fields_is_refused(api, clinic):
    form = {f"field{number}": "x" for number in range(1001)}

    answer = api(clinic.jane).patch(PROFILE, form, format="multipart")

    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")
