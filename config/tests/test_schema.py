"""The OpenAPI document matches the API."""

import pytest
from drf_spectacular.generators import SchemaGenerator

from accounts.permissions import SAME_AS
from accounts.roles import ANYONE
from config.access_report import iter_endpoints
from config.api.error_schemas import STATUSES
from config.api.exceptions import ERROR_CODES
from config.api.views import rendered_schema


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
    "logout",
    "requestPasswordReset",
    "confirmPasswordReset",
    "verifyEmail",
    "resendVerificationEmail",
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
        assert {"400", "401", "406", "429", "503"} <= errors, key
        assert ("403" in errors) == ("jwtAuth" in str(operation.get("security"))), key
        takes_key = "Idempotency-Key" in parameters
        assert ("404" in errors) == ("{" in key[1] or "page" in parameters or takes_key), key
        assert ({"409", "412"} <= errors) == (key[0] != "GET"), key
        assert ("304" in operation["responses"]) == ("If-None-Match" in parameters), key
        assert ({"413", "415"} <= errors) == (key[0] in ("POST", "PUT", "PATCH")), key
        assert ("422" in errors) == takes_key, key


def test_every_documented_error_is_in_the_published_list(schema):
    documented = {
        code: status
        for status, (name, _) in STATUSES.items()
        for code in codes_of(schema["components"]["schemas"], name)
    }

    # 405 is for undocumented methods; 500 is never expected.
    assert documented == {
        name: code.status for name, code in ERROR_CODES.items() if code.status not in (405, 500)
    }


def codes_of(shapes, name):
    variants = [one["$ref"].rsplit("/", 1)[-1] for one in shapes[name].get("oneOf", ())]
    return [
        code
        for variant in variants or [name]
        for code in shapes[variant]["properties"]["code"]["enum"]
    ]


def test_the_details_of_each_code_are_documented(schema):
    shapes = schema["components"]["schemas"]
    documented = {
        shape["properties"]["code"]["enum"][0]: list(shape["properties"]["details"]["properties"])
        for shape in shapes.values()
        if {"code", "details"} <= shape.get("properties", {}).keys()
    }

    assert documented == {
        name: [code.details] for name, code in ERROR_CODES.items() if code.details
    }


def test_response_headers_are_documented(operations, schema):
    for key, operation in operations.items():
        good = next(one for code, one in operation["responses"].items() if code[0] == "2")
        assert "X-Request-ID" in good["headers"], key
    headers = {name: set(one["headers"]) for name, one in schema["components"]["responses"].items()}
    assert headers["Unauthorized"] == {"X-Request-ID", "WWW-Authenticate"}
    assert headers["TooManyRequests"] == {"X-Request-ID", "Retry-After"}
    assert headers["ServiceUnavailable"] == {"X-Request-ID", "Retry-After"}
    assert {
        name: {
            header
            for operation in operations.values()
            if operation["operationId"] == name
            for answer in operation["responses"].values()
            for header in answer.get("headers", ())
        }
        - {"X-Request-ID", "Retry-After"}
        for name in SENT_HEADERS
    } == SENT_HEADERS


SENT_HEADERS = {
    "bookAppointment": {"ETag", "Idempotency-Replayed"},
    "getAppointment": {"ETag"},
    "listAppointments": set(),
    "cancelAppointment": {"ETag", "Idempotency-Replayed"},
    "createTimeSlot": {"Idempotency-Replayed"},
    "getMyProfile": {"ETag"},
}


def test_a_profile_matches_exactly_one_of_its_schemas(schema):
    shapes = schema["components"]["schemas"]

    said = {name: shapes[name]["properties"]["user_type"]["enum"] for name in PROFILE_SHAPES}

    assert said == PROFILE_SHAPES
    assert shapes["LoginAnswer"]["properties"]["user"] == {
        "$ref": "#/components/schemas/OwnProfile"
    }


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

    assert slot["id"] == {"type": "integer", "format": "int64", "minimum": 1}
    assert slot["start_time"]["pattern"].endswith(":[0-5][0-9]$")
    assert asked["page"] == {"type": "integer", "minimum": 1, "maximum": 999_999_999}
    assert asked["doctor"]["items"] == {"type": "integer", "format": "int64", "minimum": 0}
    assert asked["search"] == {"type": "string", "maxLength": 200}
    assert sorted(asked["priority"]["items"]["enum"]) == ["high", "low", "medium", "urgent"]


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


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("application/json; indent=8", "application/json"),
        ("application/yaml", "application/yaml; charset=utf-8"),
    ],
)
@pytest.mark.django_db
def test_the_document_has_the_content_type_of_its_format(api, accept, content_type):
    answer = api().get("/api/schema/?lang=de&version=9", HTTP_ACCEPT=accept)

    assert answer["Content-Type"] == content_type
    assert answer.content == rendered_schema(content_type.partition(";")[0].partition("/")[2])
