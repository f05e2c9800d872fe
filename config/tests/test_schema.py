"""The OpenAPI document matches the API."""

from io import StringIO

import pytest
import yaml
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator

from accounts.permissions import SAME_AS
from accounts.roles import ANYONE
from config.access_report import iter_endpoints
from config.api.exceptions import ERROR_CODES
from config.api.views import rendered_schema


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
    operations_of_views = {
        (method.upper(), template(endpoint.address))
        for endpoint in iter_endpoints()
        if endpoint.is_canonical
        for method in endpoint.actions
        if method != "head"
    }

    assert set(operations) == operations_of_views


def test_every_response_is_documented_in_the_envelope_with_an_example(operations):
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


NO_DATA = {
    "auth_logout_create",
    "auth_password_reset_create",
    "auth_password_reset_confirm_create",
    "auth_email_verify_create",
    "auth_email_resend_create",
}


def test_every_request_body_is_documented_with_an_example(operations):
    without = {
        key
        for key, operation in operations.items()
        if "requestBody" in operation
        and not operation["requestBody"]["content"]["application/json"].get("examples")
    }

    assert without == set()


def test_every_creating_or_changing_post_documents_the_idempotency_key(operations):
    with_key = {
        path
        for (_, path), operation in operations.items()
        if "Idempotency-Key" in str(operation.get("parameters"))
    }
    posts = {path for method, path in operations if method == "POST"}

    reading = {path for path in posts if path.startswith("/api/auth/") or path.endswith("/search/")}
    assert with_key == posts - reading


def test_every_operation_documents_its_errors(operations):
    for key, operation in operations.items():
        errors = {code for code in operation["responses"] if code[0] in "45"}
        parameters = {one["name"] for one in operation.get("parameters", ())}
        has_body = "requestBody" in operation
        assert {"400", "401", "406", "429", "503"} <= errors, key
        assert ("403" in errors) == ("jwtAuth" in str(operation.get("security"))), key
        assert ("404" in errors) == ("{" in key[1] or "page" in parameters), key
        assert ("409" in errors) == (key[0] != "GET"), key
        assert ("412" in errors) == ("If-Match" in parameters), key
        assert ("304" in operation["responses"]) == ("If-None-Match" in parameters), key
        assert ({"413", "415"} <= errors) == has_body, key
        assert ("422" in errors) == ("Idempotency-Key" in parameters), key


def test_every_documented_error_is_in_the_published_list(schema):
    statuses = {name.removeprefix("Error") for name in schema["components"]["responses"]}

    # 405 is for undocumented methods; 500 is never expected.
    assert statuses == {str(code.status) for code in ERROR_CODES.values()} - {"405", "500"}


def test_response_headers_are_documented(operations, schema):
    for key, operation in operations.items():
        good = next(one for code, one in operation["responses"].items() if code[0] == "2")
        assert "X-Request-ID" in good["headers"], key
    headers = {name: set(one["headers"]) for name, one in schema["components"]["responses"].items()}
    assert headers["Error401"] == {"X-Request-ID", "WWW-Authenticate"}
    assert headers["Error429"] == headers["Error503"] == {"X-Request-ID", "Retry-After"}


def test_a_profile_matches_exactly_one_of_its_schemas(schema):
    shapes = schema["components"]["schemas"]

    said = {name: shapes[name]["properties"]["user_type"]["enum"] for name in PROFILE_SHAPES}

    assert said == PROFILE_SHAPES
    assert shapes["LoginAnswer"]["properties"]["user"]["allOf"] == [
        {"$ref": "#/components/schemas/OwnProfile"}
    ]


PROFILE_SHAPES = {"PatientProfile": ["patient"], "DoctorProfile": ["doctor"], "Profile": ["admin"]}


def test_an_avatar_is_documented_in_a_form_and_not_in_json(operations, schema):
    shapes = schema["components"]["schemas"]
    content = operations["PATCH", "/api/patients/{id}/"]["requestBody"]["content"]

    pictures = {
        media_type: shapes[one["schema"]["$ref"].rsplit("/", 1)[-1]]["properties"]["avatar"]
        for media_type, one in content.items()
    }

    assert {media_type: one["format"] for media_type, one in pictures.items()} == {
        "application/json": "uri",
        "multipart/form-data": "binary",
    }


def test_ids_times_and_page_parameters_document_their_limits(operations, schema):
    slot = schema["components"]["schemas"]["TimeSlot"]["properties"]
    asked = {
        one["name"]: one["schema"] for one in operations["GET", "/api/appointments/"]["parameters"]
    }

    assert slot["id"] == {"type": "integer", "format": "int64", "minimum": 1, "readOnly": True}
    assert slot["start_time"]["pattern"].endswith(":[0-5][0-9]$")
    assert asked["page"] == {"type": "integer", "minimum": 1, "maximum": 999_999_999}
    assert asked["doctor"] == {"type": "integer", "format": "int64", "minimum": 0}
    assert asked["search"] == {"type": "string", "maxLength": 200}
    assert sorted(asked["priority"]["enum"]) == ["high", "low", "medium", "urgent"]


def test_public_operations_are_documented_as_public(operations):
    access = {
        (method.upper(), template(endpoint.address)): endpoint.view.access[
            SAME_AS.get(action, action)
        ]
        for endpoint in iter_endpoints()
        if endpoint.is_canonical
        for method, action in endpoint.actions.items()
        if method != "head"
    }

    for key, operation in operations.items():
        assert ("jwtAuth" in str(operation.get("security"))) == (access[key] != ANYONE), key


def test_the_error_schema_lists_every_code(schema):
    assert schema["components"]["schemas"]["Error"]["properties"]["code"]["enum"] == list(
        ERROR_CODES
    )


@pytest.mark.parametrize("address", ["/api/docs/", "/api/schema/"])
@pytest.mark.django_db
def test_the_documentation_is_public_and_loads_nothing_from_other_hosts(api, address):
    response = api().get(address, HTTP_ACCEPT="*/*")

    page = response.content.decode()
    assert response.status_code == 200
    assert "cdn" not in page
    assert 'src="http' not in page
    assert 'href="http' not in page


def test_the_document_is_made_once_in_each_format(api, jane, monkeypatch):
    rendered_schema.cache_clear()
    made = []
    generate = SchemaGenerator.get_schema
    monkeypatch.setattr(
        SchemaGenerator,
        "get_schema",
        lambda generator, **options: made.append(options) or generate(generator, **options),
    )

    documents = {
        client.get("/api/schema/?format=json", headers={"Accept-Language": language}).content
        for client in (api(), api(jane))
        for language in ("en", "de")
    }

    assert len(documents) == 1
    assert made == [{"public": True}]
