"""The documentation says what the API does."""

from io import StringIO

import pytest
import yaml
from django.core.management import call_command

from accounts.permissions import SAME_AS
from accounts.roles import ANYONE
from config.access import every_door
from config.api.exceptions import CODES


@pytest.fixture(scope="module")
def schema():
    out = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    return yaml.safe_load(out.getvalue())


@pytest.fixture(scope="module")
def operations(schema):
    return {
        (method.upper(), path): operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }


def template(address):
    return address.replace("{pk}", "{id}")


def test_every_operation_of_the_canonical_mount_is_documented_once(operations):
    doors = {
        (method.upper(), template(door.address))
        for door in every_door()
        if door.is_canonical
        for method in door.actions
        if method != "head"
    }

    assert set(operations) == doors


def test_every_answer_is_documented_in_the_envelope_and_with_an_example(operations):
    for key, operation in operations.items():
        good = {code: one for code, one in operation["responses"].items() if code[0] == "2"}
        assert len(good) == 1, key
        (code, answer) = good.popitem()
        if key[0] == "DELETE":
            assert code == "204"
            continue
        content = answer["content"]["application/json"]
        assert list(content["schema"]["properties"]) == ["status", "data", "message"], key
        assert list(content["example"]) == ["status", "data", "message"], key
        if operation["operationId"] not in NO_DATA:
            assert content["example"]["data"] is not None, key


NO_DATA = {"auth_logout_create", "auth_password_reset_create", "auth_password_reset_confirm_create"}


def test_every_body_is_documented_with_an_example(operations):
    without = {
        key
        for key, operation in operations.items()
        if "requestBody" in operation
        and not operation["requestBody"]["content"]["application/json"].get("examples")
    }

    assert without == set()


def test_every_post_that_makes_or_moves_records_documents_its_key(operations):
    with_key = {
        path
        for (_, path), operation in operations.items()
        if "Idempotency-Key" in str(operation.get("parameters"))
    }
    posts = {path for method, path in operations if method == "POST"}

    assert with_key == {path for path in posts if not path.startswith("/api/auth/")}


def test_every_operation_documents_its_errors(operations):
    for key, operation in operations.items():
        errors = {code for code in operation["responses"] if code[0] in "45"}
        assert {"400", "429"} <= errors, key
        assert ("404" in errors) == ("{" in key[1]), key


def test_what_is_open_to_strangers_is_documented_so(operations):
    access = {
        (method.upper(), template(door.address)): door.view.access[SAME_AS.get(action, action)]
        for door in every_door()
        if door.is_canonical
        for method, action in door.actions.items()
        if method != "head"
    }

    for key, operation in operations.items():
        assert ("jwtAuth" in str(operation.get("security"))) == (access[key] != ANYONE), key


def test_the_error_body_lists_every_code(schema):
    assert schema["components"]["schemas"]["Error"]["properties"]["code"]["enum"] == list(CODES)


@pytest.mark.parametrize("address", ["/api/docs/", "/api/schema/"])
@pytest.mark.django_db
def test_the_documentation_is_open_and_asks_nothing_of_the_outside(api, address):
    response = api().get(address, HTTP_ACCEPT="*/*")

    page = response.content.decode()
    assert response.status_code == 200
    assert "cdn" not in page
    assert 'src="http' not in page
    assert 'href="http' not in page
