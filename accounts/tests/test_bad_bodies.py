"""What every door of accounts answers to a body, a parameter or a method not its own."""

import json

import pytest

from accounts.auth.sessions import open_session
from accounts.models import Session, User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.helpers import refusal, status_and_code

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


DOORS = list(good_bodies())
METHODS = {"get", "head", "post", "put", "patch", "delete"}


@pytest.fixture
def jane():
    return UserFactory(username="jane", email="jane@example.com")


@pytest.fixture
def send(api, jane):
    """Sends a body to a door as Jane, who may pass each of them."""
    client = api(jane)

    def send(door, body, *, query="", content_type="application/json", method=None):
        method = method or ("patch" if door == "profile" else "post")
        if isinstance(body, dict):
            body = json.dumps(body)
        return client.generic(method.upper(), f"/api/auth/{door}/{query}", body, content_type)

    return send


@pytest.fixture
def nothing_happens(jane, api):
    """Afterwards the database is as it was."""
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
    "an overlong letter": b'{"username": "\xc0\xaf"}',
    "a tower of lists": b"[" * 100_000,
    "a tower of objects": b'{"a":' * 100_000,
}


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("door", ["login", "profile"])
def test_a_body_that_is_no_object_of_json_is_refused(send, door, body):
    assert status_and_code(send(door, body)) == (400, "parse_error")


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("door", DOORS)
def test_every_door_wants_an_object(send, door):
    answers = [send(door, body) for body in (b"[]", b"null", b"1", b"{")]

    assert [status_and_code(answer) for answer in answers] == [(400, "parse_error")] * 4


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("door", DOORS)
def test_a_field_given_twice_is_refused_under_its_name(send, door):
    name, value = next(iter(good_bodies()[door].items()))
    once = json.dumps({name: value})[1:-1]

    response = send(door, f"{{{once}, {once}}}".encode())

    assert refusal(response) == (400, "validation_error", {name: ["Give this field only once."]})


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("value", [b'"x\\ud800"', b'{"\\udfff": 1}'])
@pytest.mark.parametrize("door", DOORS)
def test_half_a_letter_is_refused_under_the_name_of_its_field(send, door, value):
    name = next(iter(good_bodies()[door]))

    response = send(door, b'{"%s": %s}' % (name.encode(), value))

    assert refusal(response)[:2] == (400, "validation_error")
    assert list(refusal(response)[2]) == [name]


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("door", DOORS)
def test_deep_nesting_is_refused_under_the_name_of_its_field(send, door):
    name = next(iter(good_bodies()[door]))

    response = send(door, b'{"%s": %s%s}' % (name.encode(), b"[" * 50, b"]" * 50))

    assert refusal(response) == (
        400,
        "validation_error",
        {name: ["This is nested too deeply."]},
    )


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("name", ["surprise", "user", "\0"])
@pytest.mark.parametrize("door", DOORS)
def test_a_field_the_door_does_not_know_is_refused_under_its_name(send, door, name):
    response = send(door, good_bodies()[door] | {name: "x"})

    assert refusal(response) == (
        400,
        "unknown_field",
        {name: ["This operation does not know this field."]},
    )


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("query", ["?surprise=1", "?page=1"])
@pytest.mark.parametrize("door", DOORS)
def test_a_parameter_no_door_knows_is_refused(send, door, query):
    response = send(door, good_bodies()[door], query=query)

    assert status_and_code(response) == (400, "unknown_parameter")
    assert list(refusal(response)[2]) == [query[1:].split("=")[0]]


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("content_type", ["application/x-www-form-urlencoded", "text/plain"])
@pytest.mark.parametrize("door", DOORS)
def test_only_json_is_read(send, door, content_type):
    response = send(door, good_bodies()[door], content_type=content_type)

    assert status_and_code(response) == (415, "unsupported_media_type")


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("door", [door for door in DOORS if door != "profile"])
def test_a_form_is_read_where_a_picture_may_travel_and_nowhere_else(send, door):
    response = send(door, good_bodies()[door], content_type="multipart/form-data; boundary=x")

    assert status_and_code(response) == (415, "unsupported_media_type")


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("door", DOORS)
def test_a_body_over_the_limit_is_too_large(send, settings, door):
    body = b'{"x": "' + b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE + b'"}'

    assert status_and_code(send(door, body)) == (413, "too_large")


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize(
    ("door", "method"),
    [
        (door, method)
        for door in DOORS
        for method in sorted(
            METHODS - ({"get", "head", "put", "patch"} if door == "profile" else {"post"})
        )
    ],
)
def test_a_door_answers_no_other_method(send, door, method):
    response = send(door, good_bodies()[door], method=method)

    assert response.status_code == 405
    if method != "head":
        assert refusal(response)[1] == "method_not_allowed"


@pytest.mark.usefixtures("nothing_happens")
@pytest.mark.parametrize("door", DOORS)
def test_without_the_last_slash_there_is_nothing(api, door):
    response = api().post(f"/api/auth/{door}", good_bodies()[door])

    assert status_and_code(response) == (404, "not_found")


@pytest.mark.parametrize("door", [door for door in DOORS if door != "profile"])
def test_options_describes_the_body_and_names_nobody(api, jane, door):
    response = api(jane).options(f"/api/auth/{door}/")

    assert response.status_code == 200
    assert list(response.json()["data"]["actions"]) == ["POST"]
    assert "jane" not in response.content.decode()
