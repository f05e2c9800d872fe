"""Compares every API response of a test with the OpenAPI document.

A response must have a documented status, all required keys and no undocumented key.
"""

import json
from copy import deepcopy
from functools import cache
from urllib.parse import quote

import jsonschema_rs

from config.api.views import rendered_schema

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
DOCUMENT = "urn:openapi"
UNDOCUMENTED_STATUSES = {405, 500}

problems: list[str] = []


class DocumentedAnswersMiddleware:
    """Adds what is wrong with a response to `problems`."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        operation_id = operation_of(request)
        if operation_id and response.status_code not in UNDOCUMENTED_STATUSES:
            problems.extend(differences(operation_id, response))
        return response


def operation_of(request):
    """Return the operationId of a request to the API; None for a request that is not compared."""
    match = request.resolver_match
    view = getattr(getattr(match, "func", None), "cls", None)
    action = getattr(getattr(match, "func", None), "actions", {}).get(request.method.lower())
    resource = getattr(view, "documentation", None)
    narrowed = "fields" in request.GET
    if request.method not in METHODS or None in (resource, action) or narrowed:
        return None
    return resource.operations[action].id


def differences(operation_id, response):
    status = str(response.status_code)
    if status not in operations()[operation_id][2]["responses"]:
        return [f"{operation_id} answers {status}, which is not documented."]
    if not response.get("Content-Type", "").startswith("application/json") or response.streaming:
        return []
    body = json.loads(response.content)
    return [
        f"{operation_id} {status}: {error.message.splitlines()[0]} at {error.instance_path}"
        for error in validator(operation_id, status).iter_errors(body)
    ]


@cache
def document():
    return json.loads(rendered_schema("json"))


@cache
def operations():
    """Return {operationId: (path, method, operation)}."""
    return {
        operation["operationId"]: (path, method, operation)
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
    }


@cache
def registry():
    closed = deepcopy(document())
    for name, schema in closed["components"]["schemas"].items():
        if name.endswith("Errors"):  # an unknown field has its sentence under its own name
            schema["additionalProperties"] = {"type": "array", "items": {"type": "string"}}
        elif "code" not in schema.get("properties", {}) and not name.endswith("Request"):
            close(schema)
    return jsonschema_rs.Registry([(DOCUMENT, closed)])


def close(schema):
    """Refuse keys that the schema does not name, in nested objects too."""
    if "properties" in schema:
        schema.setdefault("additionalProperties", False)
    for inner in [*schema.get("properties", {}).values(), schema.get("items")]:
        if isinstance(inner, dict):
            close(inner)


@cache
def validator(operation_id, status):
    path, method, operation = operations()[operation_id]
    place = ["paths", path, method, "responses", status]
    if reference := operation["responses"][status].get("$ref"):
        place = reference.removeprefix("#/").split("/")
    pointer = "/".join(quote(one.replace("~", "~0").replace("/", "~1"), safe="~") for one in place)
    schema = {
        "$ref": f"{DOCUMENT}#/{pointer}/content/application~1json/schema",
        "unevaluatedProperties": False,
    }
    return jsonschema_rs.Draft202012Validator(schema, registry=registry(), validate_formats=True)
