"""Whatever is sent, wherever: a 4xx in the envelope, nothing written, no traceback in the log."""

import json
import logging

import pytest
from django.apps import apps
from django.core.cache import cache
from rest_framework.test import APIRequestFactory

from config.access import every_door
from config.tests.people import a_clinic, address_of

DOORS = [door for door in every_door() if door.is_canonical]
WRITING = [
    (door, method)
    for door in DOORS
    for method in door.actions
    if method in ("post", "put", "patch")
]
READING = [door for door in DOORS if "get" in door.actions]

NOT_JSON_OBJECTS = {
    "not JSON": b"{",
    "nothing but spaces": b"   ",
    "a list": b"[]",
    "null": b"null",
    "a number": b"7",
    "a string": b'"text"',
    "NaN": b'{"time_slot": NaN}',
    "Infinity": b'{"weight": -Infinity}',
    "invalid UTF-8": b'{"reason": "\xff"}',
    "UTF-16": '{"reason": "x"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"reason": "x"}',
    "a duplicate key": b'{"reason": "x", "reason": "y"}',
    "a nested duplicate key": b'{"reason": {"a": 1, "a": 2}}',
    "a lone surrogate": b'{"consultation_type": "\\ud800"}',
    "a surrogate for a name": b'{"\\ud800": 1}',
    "a tower of lists": b'{"reason": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a low tower": b'{"reason": ' + b"[" * 30 + b"]" * 30 + b"}",
    "a number past every float": b'{"reason": 1e400}',
    "a number of 5,000 digits": b'{"quantity": ' + b"9" * 5_000 + b"}",
    "an unknown field": b'{"no_such_field": 1}',
    "a NUL for a name": b'{"\\u0000": 1}',
}

NONSENSE = [
    None, True, 1.9, " 1 ", -1, 0, 2**63, 10**30, 1e308, "", "\x00", "a\x00b", {}, {"a": {}}, [],
    [[]], ["x"], "\N{ARABIC-INDIC DIGIT ONE}", "2026-13-45", "0001-01-01", "9999-12-31",
    "9999-12-31T23:59:59-12:00", "25:61", "09:00:00+05:00", "nan", "Infinity", "1e400",
    "x" * 70_000,
]  # fmt: skip

QUERIES = [
    "page=0", "page=-1", "page=abc", "page=1e3", "page=99999999999999999999", "page=",
    "page_size=0", "page_size=abc", "page_size=-5", "ordering=password", "ordering=-x,y",
    "ordering=doctor__password", "search=" + "word+" * 1500, "search=" + "x" * 300,
    "search=%00", "search=%ff", "doctor=1.9", "doctor=+1", "doctor=abc", "doctor=1&doctor=2",
    "patient=%00", "patient=-1", "date=2026-13-45", "date=0001-01-01", "date=9999-12-31",
    "date=20260101", "date_after=x", "date_before=%D9%A1", "status=nonsense", "status=%00",
    "available=maybe", "gender=%00", "priority=x", "date_of_birth=0000-00-00", "no_such=1",
    "doctor__password=x", "id=1", "consultation_type=x",
]  # fmt: skip


def state():
    """How many rows every table holds."""
    return {model: model._base_manager.count() for model in apps.get_models()}


def assert_refused(response, *, where):
    assert 400 <= response.status_code < 500, (where, response.status_code, response.content[:300])
    body = response.json()
    assert body["status"] == "error", where
    assert body["errors"], where
    assert body["message"], where


@pytest.fixture
def clinic(db):
    return a_clinic()


@pytest.fixture
def quiet(caplog):
    """Fails the test for an error, or a traceback, in the log."""
    caplog.set_level(logging.WARNING)
    yield
    loud = [one for one in caplog.records if one.exc_info or one.levelno >= logging.ERROR]
    assert loud == []


@pytest.mark.parametrize("body", NOT_JSON_OBJECTS.values(), ids=NOT_JSON_OBJECTS)
def test_a_body_that_is_no_plain_object_is_refused_at_every_door(api, clinic, quiet, body):
    client = api(clinic.ada)
    before = state()

    for door, method in WRITING:
        cache.clear()
        response = client.generic(
            method.upper(), address_of(door, clinic), body, "application/json"
        )
        assert_refused(response, where=(method, door.address))

    assert state() == before


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded"]
)
def test_another_media_type_is_415_at_every_door(api, clinic, quiet, media_type):
    client = api(clinic.ada)
    before = state()

    for door, method in WRITING:
        cache.clear()
        response = client.generic(method.upper(), address_of(door, clinic), "a=b", media_type)
        assert response.status_code == 415, (method, door.address)
        assert response.json()["code"] == "unsupported_media_type"

    assert state() == before


def test_a_body_over_the_limit_is_413_at_every_door(api, clinic, quiet, settings):
    client = api(clinic.ada)
    body = json.dumps({"reason": "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE})
    before = state()

    for door, method in WRITING:
        cache.clear()
        response = client.generic(
            method.upper(), address_of(door, clinic), body, "application/json"
        )
        assert response.status_code == 413, (method, door.address)
        assert response.json()["code"] == "too_large"

    assert state() == before


def fields_of(door, method, clinic):
    """The names a door's body may hold, for an admin."""
    view = door.view(action_map=door.actions, action=door.actions[method], detail=True)
    request = APIRequestFactory().generic(method.upper(), "/")
    request.user = clinic.ada
    view.request, view.kwargs, view.format_kwarg = request, {}, None
    view.serializer_class = _serializer_of(door, method) or view.serializer_class
    serializer = view.get_serializer_class()(context={"request": request})
    return [name for name, field in serializer.fields.items() if not field.read_only]


def _serializer_of(door, method):
    handler = getattr(door.view, door.actions[method])
    return getattr(handler, "kwargs", {}).get("serializer_class")


@pytest.mark.parametrize(("door", "method"), WRITING)
def test_nonsense_in_any_field_is_never_an_error_of_ours(api, clinic, quiet, door, method):
    client = api(clinic.ada)
    address = address_of(door, clinic)

    for name in fields_of(door, method, clinic):
        for value in NONSENSE:
            cache.clear()
            response = client.generic(
                method.upper(), address, json.dumps({name: value}), "application/json"
            )
            assert response.status_code < 500, (address, name, value)
            if response.status_code >= 400:
                assert_refused(response, where=(address, name, value))


@pytest.mark.parametrize("door", READING)
def test_nonsense_in_the_query_is_refused_and_names_the_parameter(api, clinic, quiet, door):
    client = api(clinic.ada)
    address = address_of(door, clinic)
    assert client.get(address).status_code in (200, 400), address

    for query in QUERIES:
        cache.clear()
        response = client.get(f"{address}?{query}")
        harmless = query in ("page=", "search=%ff") and response.status_code == 200
        beyond_the_end = query == "page=99999999999999999999"
        if not harmless:
            assert_refused(response, where=(address, query))
            name = query.split("=")[0]
            assert beyond_the_end or name in response.json()["errors"], (address, query)


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer a b",
        "Bearer " + "x" * 9000,
        "Bearer \x00",
        "Bearer \xff\xfe",
        "Basic YTpi",
    ],
)
@pytest.mark.django_db
def test_a_malformed_authorization_header_is_401(api, header):
    response = api().get("/api/auth/profile/", HTTP_AUTHORIZATION=header)

    assert response.status_code == 401
    assert response.json()["status"] == "error"


@pytest.mark.django_db
def test_a_wrong_host_is_400_in_the_envelope(api, settings):
    settings.ALLOWED_HOSTS = ["clinic.example"]

    response = api().get("/api/doctors/", HTTP_HOST="evil.example")

    assert response.status_code == 400
    assert response.json()["code"] == "parse_error"
