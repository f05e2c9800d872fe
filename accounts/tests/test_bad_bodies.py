"""Responses of the account endpoints to invalid bodies, query parameters and methods."""

import json

import pytest

from accounts.auth.sessions import open_session
from accounts.models import Session, User
from accounts.tests.factories import PASSWORD
from accounts.tests.helpers import error_details, status_and_code

pytestmark = pytest.mark.django_db

JANE = {
    "username": "paul",
    "email": "paul@example.com",
    "password": PASSWORD,
    "user_type": "patient",
    "first_name": "Paul",
    "last_name": "Doe",
}


def good_bodies():
    return {
        "register": JANE,
        "login": {"username": "jane", "password": PASSWORD},
        "refresh": {"refresh": "a.b.c"},
        "logout": {"refresh": "a.b.c"},
        "password/change": {"old_password": PASSWORD, "new_password": "an-even-better-battery"},
        "password/reset": {"email": "jane@example.com"},
        "password/reset/confirm": {"uid": "MQ", "token": "x", "new_password": PASSWORD},
        "profile": {"phone": "030 1"},
    }


ENDPOINTS = list(good_bodies())
METHODS = {"get", "head", "post", "put", "patch", "delete"}


@pytest.fixture
def send(api, jane):
    """Sends a body to an endpoint as Jane, who may use all of them."""
    client = api(jane)

    def send(endpoint, body, *, query="", content_type="application/json", method=None):
        method = method or ("patch" if endpoint == "profile" else "post")
        if isinstance(body, dict):
            body = json.dumps(body)
        return client.generic(method.upper(), f"/api/auth/{endpoint}/{query}", body, content_type)

    return send


@pytest.fixture
def database_unchanged(jane, api):
    """Checks that the test leaves the database unchanged."""
    open_session(jane)
    before = list(User.objects.values("pk", "password", "phone"))

    yield

    assert list(User.objects.values("pk", "password", "phone")) == before
    assert Session.objects.exclude(ended_at=None).count() == 0


UNREADABLE = {
    "a list": b"[]",
    "a list of one": b'[{"username": "jane"}]',
    "null": b"null",
    "a number": b"1",
    "a string": b'"jane"',
    "true": b"true",
    "no JSON": b"username=jane",
    "half": b'{"username": "ja',
    "a comma too many": b'{"username": "jane",}',
    "two objects": b"{}{}",
    "NaN": b'{"username": NaN}',
    "infinity": b'{"username": -Infinity}',
    "a long number": b'{"username": ' + b"9" * 5000 + b"}",
    "no UTF-8": b'{"username": "\xff"}',
    "UTF-16": '{"username": "jane"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"username": "jane"}',
    "an overlong encoding": b'{"username": "\xc0\xaf"}',
    "nested lists": b"[" * 100_000,
    "nested objects": b'{"a":' * 100_000,
}


@pytest.mark.usefixtures("database_unchanged")
@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("endpoint", ["login", "profile"])
def test_a_body_that_is_not_a_json_object_is_refused(send, endpoint, body):
    assert status_and_code(send(endpoint, body)) == (400, "parse_error")


@pytest.mark.usefixtures("database_unchanged")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_every_endpoint_requires_a_json_object(send, endpoint):
    answers = [send(endpoint, body) for body in (b"[]", b"null", b"1", b"{")]

    assert [status_and_code(answer) for answer in answers] == [(400, "parse_error")] * 4


@pytest.mark.usefixtures("database_unchanged")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_duplicate_field_is_refused_by_name(send, endpoint):
    name, value = next(iter(good_bodies()[endpoint].items()))
    once = json.dumps({name: value})[1:-1]

    response = send(endpoint, f"{{{once}, {once}}}".encode())

    assert error_details(response) == (
        400,
        "validation_error",
        {name: ["Give this field only once."]},
    )


@pytest.mark.usefixtures("database_unchanged")
@pytest.mark.parametrize("value", [b'"x\\ud800"', b'{"\\udfff": 1}'])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_unpaired_surrogate_is_refused_by_field_name(send, endpoint, value):
    name = next(iter(good_bodies()[endpoint]))

    response = send(endpoint, b'{"%s": %s}' % (name.encode(), value))

    assert error_details(response)[:2] == (400, "validation_error")
    assert list(error_details(response)[2]) == [name]


@pytest.mark.usefixtures("database_unchanged")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_deep_nesting_is_refused_by_field_name(send, endpoint):
    name = next(iter(good_bodies()[endpoint]))

    response = send(endpoint, b'{"%s": %s%s}' % (name.encode(), b"[" * 50, b"]" * 50))

    assert error_details(response) == (
        400,
        "validation_error",
        {name: ["This is nested too deeply."]},
    )


@pytest.mark.usefixtures("database_unchanged")
@pytest.mark.parametrize("name", ["surprise", "user", "\0"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_unknown_field_is_refused_by_name(send, endpoint, name):
    response = send(endpoint, good_bodies()[endpoint] | {name: "x"})

    assert error_details(response) == (
        400,
        "unknown_field",
        {name: ["This operation does not know this field."]},
    )


@pytest.mark.usefixtures("database_unchanged")
@pytest.mark.parametrize("query", ["?surprise=1", "?page=1"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_unknown_query_parameter_is_refused(send, endpoint, query):
    response = send(endpoint, good_bodies()[endpoint], query=query)

    assert status_and_code(response) == (400, "unknown_parameter")
    assert list(error_details(response)[2]) == [query[1:].split("=")[0]]


@pytest.mark.usefixtures("database_unchanged")
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain"])
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_only_json_is_accepted(send, endpoint, content_type):
    response = send(endpoint, good_bodies()[endpoint], content_type=content_type)

    assert status_and_code(response) == (415, "unsupported_media_type")


@pytest.mark.usefixtures("database_unchanged")
@pytest.mark.parametrize("endpoint", [endpoint for endpoint in ENDPOINTS if endpoint != "profile"])
def test_a_form_is_accepted_only_where_an_image_can_be_uploaded(send, endpoint):
    response = send(
        endpoint, good_bodies()[endpoint], content_type="multipart/form-data; boundary=x"
    )

    assert status_and_code(response) == (415, "unsupported_media_type")


@pytest.mark.usefixtures("database_unchanged")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_oversized_body_is_413(send, settings, endpoint):
    body = b'{"x": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'

    assert status_and_code(send(endpoint, body)) == (413, "too_large")


@pytest.mark.usefixtures("database_unchanged")
@pytest.mark.parametrize(
    ("endpoint", "method"),
    [
        (endpoint, method)
        for endpoint in ENDPOINTS
        for method in sorted(
            METHODS - ({"get", "head", "put", "patch"} if endpoint == "profile" else {"post"})
        )
    ],
)
def test_other_methods_are_405(send, endpoint, method):
    response = send(endpoint, good_bodies()[endpoint], method=method)

    assert response.status_code == 405
    if method != "head":
        assert error_details(response)[1] == "method_not_allowed"


@pytest.mark.usefixtures("database_unchanged")
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_path_without_the_trailing_slash_is_404(api, endpoint):
    response = api().post(f"/api/auth/{endpoint}", good_bodies()[endpoint])

    assert status_and_code(response) == (404, "not_found")


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in ENDPOINTS if endpoint != "profile"])
def test_options_describes_the_body_without_user_data(api, jane, endpoint):
    response = api(jane).options(f"/api/auth/{endpoint}/")

    assert response.status_code == 200
    assert list(response.json()["data"]["actions"]) == ["POST"]
    assert "jane" not in response.content.decode()
