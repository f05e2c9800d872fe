"""Headers nobody honest sends: a 4xx in the envelope, or as if they had not been sent."""

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
    DOORS,
    WRITING,
    address_of,
    assert_refused,
    caller,
    quiet,
    state,
)

__all__ = ["caller", "quiet"]  # fixtures

pytestmark = pytest.mark.usefixtures("quiet")

PROFILE = "/api/auth/profile/"
HOSTILE = [
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
    (door, method)
    for door, method in WRITING
    if getattr(getattr(door.view, door.actions[method]), "takes_idempotency_key", False)
]


def ask(client, door, method, clinic, **headers):
    cache.clear()
    address = address_of(door, clinic)
    return client.generic(method.upper(), address, "{}", "application/json", **headers)


def test_a_hostile_authorization_is_401_at_every_door_that_asks_for_one(api, clinic):
    client, before = api(), state()
    doors = [(door, method.lower()) for door in DOORS for method, _ in door.methods]
    assert len(doors) > 50

    for number, (door, method) in enumerate(doors):
        value = HOSTILE[number % len(HOSTILE)]
        for header in (value, f"Bearer {value}"):
            answer = ask(client, door, method, clinic, HTTP_AUTHORIZATION=header)
            is_open = answer.status_code == 400 and door.address.startswith("/api/auth/")
            assert answer.status_code == 401 or is_open, (method, door.address, value[:9])
            assert_refused(answer, where=(method, door.address, value[:9]))

    assert state() == before


def test_a_hostile_idempotency_key_is_refused_by_name_or_is_a_key(caller, clinic):
    assert len(KEYED) > 10

    for door, method in KEYED:
        for value in HOSTILE:
            answer = ask(caller(door, method), door, method, clinic, HTTP_IDEMPOTENCY_KEY=value)
            where = (door.address, value[:9])
            assert answer.status_code < 500, where
            if not (value.isprintable() and len(value) <= 255):
                assert answer.status_code == 400, where
                assert list(answer.json()["errors"]) == ["Idempotency-Key"], where


def test_a_hostile_version_is_refused_by_name(caller, clinic):
    before = state()
    strange = ['"7', "7", 'W/"7', '"a" "b"', '"7",', f'"{"9" * 5000}"', '""', '"\u0663"']
    assert len(WRITING) > 20

    for door, method in WRITING:
        for value in [*HOSTILE, *strange]:
            answer = ask(caller(door, method), door, method, clinic, HTTP_IF_MATCH=value)
            where = (door.address, value[:9])
            assert_refused(answer, where=where)
            if ENTITY_TAGS.fullmatch(value):
                assert answer.status_code == 412, where
            else:
                assert list(answer.json()["errors"]) == ["If-Match"], where

    assert state() == before


def test_a_hostile_accept_is_406(api, clinic):
    client = api(clinic.ada)
    unreadable = ["application/json; a*0=x; a*=y", "application/json; a*=foo''x", "/", ";;;"]

    for value in [*HOSTILE, *unreadable, "application/xml", "a/b," * 9000]:
        answer = client.get("/api/doctors/", HTTP_ACCEPT=value)
        assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable"), value[:9]


@pytest.mark.parametrize(
    "header", ["X_REQUEST_ID", "ACCEPT_LANGUAGE", "X_FORWARDED_FOR", "REFERER", "ORIGIN", "COOKIE"]
)
def test_a_hostile_header_of_no_consequence_changes_nothing(api, clinic, header):
    client = api(clinic.ada)

    for value in HOSTILE:
        answer = client.get("/api/doctors/", **{f"HTTP_{header}": value})
        assert answer.status_code == 200, value[:9]
        assert answer["X-Request-ID"].isalnum()


@pytest.mark.parametrize("address", ["/api/doctors/", "/admin/login/", "/api-auth/login/"])
@pytest.mark.django_db
def test_a_session_no_browser_was_given_is_none(address):
    r"""Django reads \000 in a quoted cookie as a NUL, which PostgreSQL takes in no question."""
    client = Client(raise_request_exception=False)

    for cookie in [r'"\000abcdefghi"', "abc.def-ghijkl", "x" * 5000, "\xff" * 20]:
        answer = client.get(address, HTTP_COOKIE=f"sessionid={cookie}")
        assert answer.status_code == (401 if address.startswith("/api/") else 200), cookie[:9]


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.django_db
def test_a_host_that_is_not_ours_is_400_in_the_envelope(settings, caplog, debug):
    settings.ALLOWED_HOSTS, settings.DEBUG = ["clinic.example"], debug
    caplog.set_level("CRITICAL", "django.security.DisallowedHost")  # logged, as it ought to be
    client = Client(raise_request_exception=False)

    for host in ["evil.example", "a b", "\x00", "localhost:x", "[::1", "x" * 300, "a/../", ""]:
        answer = client.get("/api/doctors/", HTTP_HOST=host)
        assert (answer.status_code, answer.json()["code"]) == (400, "parse_error"), host[:9]
        assert answer.json()["request_id"] == answer["X-Request-ID"]


@pytest.mark.parametrize("header", ["X_HTTP_METHOD_OVERRIDE", "X_METHOD_OVERRIDE"])
def test_a_header_makes_no_other_method_of_it(api, clinic, header):
    client = api(clinic.ada)
    address = f"/api/time-slots/{clinic.free.pk}/"

    read = client.get(address, **{f"HTTP_{header}": "DELETE"})
    posted = client.post(address, {}, **{f"HTTP_{header}": "DELETE"})
    by_field = client.post(f"{address}?_method=DELETE", {"_method": "DELETE"})

    assert [read.status_code, posted.status_code, by_field.status_code] == [200, 405, 405]
    assert client.get(address).status_code == 200


def test_a_body_without_its_length_is_refused_and_not_taken_for_an_empty_one(caller, clinic):
    before = state()

    for door, method in WRITING:
        answer = ask(caller(door, method), door, method, clinic, HTTP_TRANSFER_ENCODING="chunked")
        assert (answer.status_code, answer.json()["code"]) == (400, "parse_error"), door.address

    assert state() == before


# --- Content-Type: read by Django while it makes the request, so asked of the whole application ---

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
    """Asks, as Ada, what gunicorn and runserver serve; the Content-Type as it comes."""
    client = WsgiClient(import_string(request.param))
    token = api(clinic.ada)._credentials["HTTP_AUTHORIZATION"]

    def ask(method, address, body, content_type):
        environ = {"CONTENT_TYPE": content_type, "HTTP_AUTHORIZATION": token}
        with keep_connection_open():
            answer = client.open(address, method=method, data=body, environ_overrides=environ)
            return answer.status_code, json.loads(answer.data)

    return ask


def test_a_broken_content_type_is_415_and_does_not_hurt_a_question(server):
    before = state()

    for content_type in BROKEN_TYPES:
        status, body = server("PATCH", PROFILE, b'{"phone": "030"}', content_type)
        asked, page = server("GET", "/api/patients/?search=%5Cx", b"", content_type)
        assert (status, body["code"]) == (415, "unsupported_media_type"), content_type[:50]
        assert (asked, page["data"]["count"]) == (200, 0), content_type[:50]

    assert state() == before


@pytest.mark.django_db
def test_a_broken_content_type_is_415_over_asgi_too():
    application = import_string("config.asgi.application")
    halves = ["application/json; a*0=x", "b; a*=y"]  # each for itself can be read

    for content_types in [*([content_type] for content_type in BROKEN_TYPES), halves]:
        refused = asked_over_asgi(application, "POST", "/api/auth/refresh/", content_types)
        served = asked_over_asgi(application, "GET", "/healthz", content_types)
        assert (refused, served) == (415, 200), content_types[0][:50]

    honest = asked_over_asgi(application, "POST", "/api/auth/refresh/", ["application/json"])
    assert honest == 400  # it lacks the token


@async_to_sync
async def asked_over_asgi(application, method, path, content_types):
    """The status of the answer to `{}`."""
    headers = [(b"content-type", sent.encode("latin-1")) for sent in content_types]
    scope = {"type": "http", "method": method, "path": path, "headers": headers}
    scope["headers"] += [(b"host", b"localhost"), (b"content-length", b"2")]
    conversation = ApplicationCommunicator(application, scope)
    await conversation.send_input({"type": "http.request", "body": b"{}"})
    start = await conversation.receive_output()
    await conversation.wait()
    return start["status"]


def test_a_form_without_its_boundary_is_400(server):
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
def test_an_honest_content_type_is_left_as_it_is(content_type):
    assert is_readable(content_type)


# --- Forms ------------------------------------------------------------------------------------

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
def test_a_form_of_hostile_parts_is_refused(api, clinic, address):
    client, before = api(clinic.ada), state()

    for part, more in product(PARTS, MORE):
        head = b"--B\r\nContent-Disposition: form-data; %s\r\n%s\r\n" % (part, more)
        answer = client.generic(
            "PATCH",
            address.format(pk=clinic.jane.pk),
            head + b"xyz\r\n--B--\r\n",
            "multipart/form-data; boundary=B",
        )
        assert_refused(answer, where=(part[:40], more[:40]))

    assert state() == before


def test_a_form_of_1001_fields_is_refused(api, clinic):
    form = {f"field{number}": "x" for number in range(1001)}

    answer = api(clinic.jane).patch(PROFILE, form, format="multipart")

    assert (answer.status_code, answer.json()["code"]) == (400, "parse_error")
