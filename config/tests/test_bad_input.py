"""Invalid requests get a 4xx in the envelope, write nothing and log no traceback."""

import json
import logging

import pytest
from django.apps import apps
from django.core.cache import cache
from django.http import QueryDict

from accounts.models import AuditEvent
from accounts.roles import ANYONE, UserType
from config.access_report import iter_endpoints
from config.tests.personas import address_of

ENDPOINTS = [endpoint for endpoint in iter_endpoints() if endpoint.is_canonical]
WRITING = [
    (endpoint, method)
    for endpoint in ENDPOINTS
    for method in endpoint.actions
    if method in ("post", "put", "patch")
]
READING = [endpoint for endpoint in ENDPOINTS if "get" in endpoint.actions]

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
    "a surrogate as a name": b'{"\\ud800": 1}',
    "nested lists": b'{"reason": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "shallow nesting": b'{"reason": ' + b"[" * 30 + b"]" * 30 + b"}",
    "a number beyond the float range": b'{"reason": 1e400}',
    "a number of 5,000 digits": b'{"quantity": ' + b"9" * 5_000 + b"}",
    "an unknown field": b'{"no_such_field": 1}',
    "a NUL for a name": b'{"\\u0000": 1}',
}

QUERIES = [
    "page=0", "page=-1", "page=abc", "page=1e3", "page=99999999999999999999", "page=",
    "page_size=0", "page_size=abc", "page_size=-5", "ordering=password", "ordering=-x,y",
    "ordering=doctor__password", "search=" + "word+" * 1500, "search=" + "x" * 300,
    "search=%00", "search=%ff", "doctor=1.9", "doctor=+1", "doctor=abc", "doctor=1&doctor=2",
    "patient=%00", "patient=-1", "date=2026-13-45", "date=0001-01-01", "date=9999-12-31",
    "date=20260101", "date_after=x", "date_before=%D9%A1", "status=nonsense", "status=%00",
    "available=maybe", "gender=%00", "priority=x", "date_of_birth=0000-00-00", "no_such=1",
    "doctor__password=x", "id=1", "consultation_type=x", "page=%D9%A3", "page=1000000000",
    "page=1&page=2", "page_size=%00", "page_size=1e9", "limit=99999999999999999999999",
    "offset=-1", "cursor=cD1hYmM=", "cursor=AA==",
    "cursor=a:b:c", "cursor=%00", "cursor=%ED%A0%80", "cursor=&page=1", "cursor=&cursor=",
    "page_size=0&cursor=", "id__in=1,9223372036854775808",
    "doctor=%D9%A1", "doctor=99999999999999999999x", "date=2026-01-01T00:00",
    "date=%D9%A2%D9%A0%D9%A3%D9%A0-12-01", "date_after=%202030-12-01", "date__year=0",
    "created_at=0001-01-01T00:00%2B14:00", "search=a&search=b", "search=%ED%A0%80%00",
    "ordering=%00", "ordering=pk", "%00=1", "a[$ne]=1",
]  # fmt: skip


def row_counts():
    """Returns the number of rows of every table except the audit's, which records denials."""
    models = [model for model in apps.get_models() if model is not AuditEvent]
    return {model: model._base_manager.count() for model in models}


def assert_refused(response, *, where):
    assert 400 <= response.status_code < 500, (where, response.status_code, response.content[:300])
    body = response.json()
    assert body["status"] == "error", where
    assert body["errors"], where
    assert body["message"], where


@pytest.fixture
def caller(api, clinic):
    """Returns a client who may use the endpoint: Ada, or Dr. House where only doctors may."""
    ada, house = api(clinic.ada), api(clinic.house)

    def client(endpoint, method):
        roles = endpoint.roles(endpoint.actions[method.lower()])
        return ada if roles == ANYONE or UserType.ADMIN in roles else house

    return client


@pytest.fixture
def quiet(caplog):
    """Fails the test if an error or a traceback is logged."""
    caplog.set_level(logging.WARNING)
    yield
    loud = [one for one in caplog.records if one.exc_info or one.levelno >= logging.ERROR]
    assert loud == []


@pytest.mark.parametrize("pk", [0, 999_999, 2**63 - 1, 2**63, 10**30])
def test_a_filter_without_matches_returns_an_empty_list(api, clinic, quiet, pk):
    client = api(clinic.ada)

    for address, name in (
        ("/api/appointments/", "patient"),
        ("/api/appointments/", "doctor"),
        ("/api/consultations/", "patient"),
        ("/api/consultations/", "doctor"),
        ("/api/time-slots/", "doctor"),
    ):
        assert client.get(address).json()["data"]["count"] > 0
        answer = client.get(address, {name: pk})
        assert answer.json()["data"] == {"count": 0, "next": None, "previous": None, "results": []}


@pytest.mark.parametrize("body", NOT_JSON_OBJECTS.values(), ids=NOT_JSON_OBJECTS)
def test_a_body_that_is_not_a_json_object_is_refused(caller, clinic, quiet, body):
    before = row_counts()

    for endpoint, method in WRITING:
        cache.clear()
        response = caller(endpoint, method).generic(
            method.upper(), address_of(endpoint, clinic), body, "application/json"
        )
        assert_refused(response, where=(method, endpoint.address))

    assert row_counts() == before


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/xml", "application/x-www-form-urlencoded"]
)
def test_another_media_type_is_415(caller, clinic, quiet, media_type):
    before = row_counts()

    for endpoint, method in WRITING:
        cache.clear()
        response = caller(endpoint, method).generic(
            method.upper(), address_of(endpoint, clinic), "a=b", media_type
        )
        assert response.status_code == 415, (method, endpoint.address)
        assert response.json()["code"] == "unsupported_media_type"

    assert row_counts() == before


def test_an_oversized_body_is_413(caller, clinic, quiet, settings):
    body = json.dumps({"reason": "x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE})
    before = row_counts()

    for endpoint, method in WRITING:
        cache.clear()
        response = caller(endpoint, method).generic(
            method.upper(), address_of(endpoint, clinic), body, "application/json"
        )
        assert response.status_code == 413, (method, endpoint.address)
        assert response.json()["code"] == "too_large"

    assert row_counts() == before


@pytest.mark.parametrize("endpoint", READING)
def test_an_invalid_query_parameter_is_refused_by_name(api, clinic, quiet, endpoint):
    client = api(clinic.ada)
    address = address_of(endpoint, clinic)
    assert client.get(address).status_code in (200, 400), address

    for query in QUERIES:
        cache.clear()
        response = client.get(f"{address}?{query}")
        harmless = query in ("page=", "search=%ff") and response.status_code == 200
        beyond_the_end = query == "page=99999999999999999999"
        if not harmless:
            assert_refused(response, where=(address, query))
            name = next(iter(QueryDict(query)))
            assert beyond_the_end or name in response.json()["errors"], (address, query)


@pytest.mark.parametrize(
    ("query", "status"), [("format=xml", 406), ("format=%00", 406), ("format=api&format=json", 400)]
)
def test_another_format_parameter_is_refused(api, clinic, quiet, query, status):
    client = api(clinic.ada)

    for endpoint in READING:
        response = client.get(f"{address_of(endpoint, clinic)}?{query}")
        assert response.status_code == status, endpoint.address
        assert_refused(response, where=endpoint.address)


IDS = {
    "past 64 bits": str(2**63),
    "of 400 digits": "9" * 400,
    "a NUL": "%00",
    "a NUL behind": "1%00",
    "another script's digit": "%D9%A1",
    "negative": "-1",
    "a fraction": "1.5",
    "a word": "null",
    "a line end": "1%0A",
    "invalid UTF-8": "%FF",
    "spaces": "%201%20",
}


@pytest.mark.parametrize("pk", IDS.values(), ids=IDS)
def test_a_non_canonical_id_is_404(caller, clinic, quiet, pk):
    before = row_counts()
    with_parameters = [endpoint for endpoint in ENDPOINTS if "{" in endpoint.address]
    assert len(with_parameters) > 15

    for endpoint in with_parameters:
        address = endpoint.address.format(pk=pk, patient=pk, consultation=pk, session=pk)
        for method, _ in endpoint.methods:
            cache.clear()
            response = caller(endpoint, method).generic(method, address, "{}", "application/json")
            assert response.status_code == 404, (method, address, response.content)
            assert_refused(response, where=(method, address))

    assert row_counts() == before


def test_an_unknown_query_parameter_is_refused_at_writing_endpoints(caller, clinic, quiet):
    before = row_counts()

    for endpoint, method in WRITING:
        cache.clear()
        address = f"{address_of(endpoint, clinic)}?no_such=1&%00=2"
        response = caller(endpoint, method).generic(
            method.upper(), address, "{}", "application/json"
        )
        assert response.json()["code"] == "unknown_parameter", (method, endpoint.address)
        assert set(response.json()["errors"]) == {"no_such", "\0"}, (method, endpoint.address)

    assert row_counts() == before
