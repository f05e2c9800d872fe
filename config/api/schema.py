"""The OpenAPI document: envelope, errors and examples of each operation."""

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from config.api.exceptions import ERROR_CODES
from config.api.fields import ID_SCHEMA
from config.api.renderers import DEFAULT_MESSAGE
from config.api.serializers import example_body

ERROR_STATUSES = {
    "400": "The request is malformed or a field is wrong.",
    "401": "The credentials are missing or invalid.",
    "403": "The caller's role may not do this.",
    "404": "The record does not exist, or the caller may not see it.",
    "406": "No representation matches the Accept header.",
    "409": "The record's state does not allow this.",
    "412": "The record's version is not one of those in If-Match.",
    "413": "The body is larger than the limit.",
    "415": "The body has an unsupported media type.",
    "422": "The Idempotency-Key was used for another request.",
    "429": "Too many requests.",
    "503": "The database does not answer at the moment.",
}

# The headers of all responses, and of the errors by status.
REQUEST_ID = {"X-Request-ID": {"required": True, "schema": {"type": "string"}}}
RETRY_AFTER = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}}
ERROR_HEADERS = {
    "401": {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    "429": RETRY_AFTER,
    "503": RETRY_AFTER,
}

TIME_PATTERNS = {
    "request": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"},
    "response": {"type": "string", "pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]$"},
}


class SessionJWTScheme(SimpleJWTScheme):
    """Documents the access tokens as bearer tokens."""

    target_class = "accounts.auth.authentication.SessionJWTAuthentication"


class ClockTimeExtension(OpenApiSerializerFieldExtension):
    """Documents a time of day without an offset; `format: time` would ask for one."""

    target_class = "rest_framework.fields.TimeField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema, direction):
        return dict(TIME_PATTERNS[direction])


class RelatedIdExtension(OpenApiSerializerFieldExtension):
    """Documents the range of an id that refers to another record."""

    target_class = "rest_framework.relations.PrimaryKeyRelatedField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema, direction):
        return dict(ID_SCHEMA)


def canonical_mount_only(endpoints):
    """Leave out the original prefixes, which have the same views as /api/."""
    return [
        endpoint
        for endpoint in endpoints
        if endpoint[0].startswith("/api/") and "/api/" not in endpoint[0].removeprefix("/api")[1:]
    ]


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description=(
        "1 to 255 printable characters, chosen by the client. "
        "The same request with the same key is executed once."
    ),
)

VERBS = {
    "list": "List",
    "retrieve": "Show",
    "create": "Create",
    "update": "Replace",
    "partial_update": "Change",
    "destroy": "Remove",
}


IF_MATCH = OpenApiParameter(
    "If-Match",
    location=OpenApiParameter.HEADER,
    description="The ETag of the record you have read; 412 if the record has changed since.",
)


IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match",
    location=OpenApiParameter.HEADER,
    description="The ETag of the record you have; 304 if the record has not changed.",
)


class EnvelopeAutoSchema(AutoSchema):
    """Documents responses in the envelope, and the headers of an operation."""

    def get_override_parameters(self):
        action = self.view.action or ""
        takes_key = getattr(getattr(self.view, action, None), "takes_idempotency_key", False)
        takes_if_match = action in getattr(self.view, "if_match", ())
        takes_if_none_match = action in getattr(self.view, "if_none_match", ())
        parameters = [IDEMPOTENCY_KEY] * takes_key + [IF_MATCH] * takes_if_match
        return parameters + [IF_NONE_MATCH] * takes_if_none_match

    def get_summary(self):
        """Return a summary such as "List appointments" or "No show"."""
        action = self.view.action
        words = self.path.rstrip("/").removesuffix("/{id}").rsplit("/", 1)[-1].split("-")
        if action in VERBS:
            return f"{VERBS[action]} {' '.join(words)}"
        return action.replace("_", " ").capitalize()

    def get_examples(self):
        """Return the `example` of the request serializer."""
        if self.method not in ("POST", "PUT", "PATCH"):
            return []
        body = example_body(_entity_description(self.get_request_serializer()))
        return [OpenApiExample("Request", value=body, request_only=True)] if body else []

    def get_operation(self, *args, **kwargs):
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        serializers = self.get_response_serializers()
        for status, response in operation["responses"].items():
            if status == "204":
                continue
            answered = serializers[int(status)] if isinstance(serializers, dict) else serializers
            content = response.setdefault("content", {}).setdefault("application/json", {})
            data = content.get("schema", {"nullable": True})
            content["schema"] = {
                "type": "object",
                "required": ["status", "data", "message"],
                "properties": {
                    "status": {"type": "string", "enum": ["success"]},
                    "data": data,
                    "message": {"type": "string"},
                },
            }
            is_page = "page" in _parameters_of(operation)
            content["example"] = self.example_answer(answered, is_page=is_page)
        return operation

    def example_answer(self, serializer, *, is_page):
        data = getattr(_entity_description(serializer), "example", None)
        if is_page:
            data = {"count": 1, "next": None, "previous": None, "results": [data]}
        messages = getattr(self.view, "messages", {})
        message = messages.get(self.view.action, DEFAULT_MESSAGE)
        return {"status": "success", "data": data, "message": str(message)}


def _entity_description(serializer):
    """Return a list's child serializer, and the first serializer of a polymorphic one."""
    serializer = getattr(serializer, "child", serializer)
    variants = getattr(serializer, "serializers", None)
    if isinstance(variants, dict):
        variants = list(variants.values())
    return variants[0] if variants else serializer


def document_errors(result, generator, request, public):
    """Add the error envelope as a component, and its errors to each operation."""
    components = result["components"]
    components.setdefault("schemas", {})["Error"] = {
        "type": "object",
        "required": ["status", "code", "errors", "message", "request_id"],
        "properties": {
            "status": {"type": "string", "enum": ["error"]},
            "code": {
                "type": "string",
                "enum": list(ERROR_CODES),
                "description": "\n".join(
                    f"* `{name}` ({code.status}): {code.meaning}"
                    for name, code in ERROR_CODES.items()
                ),
            },
            "errors": {
                "type": "object",
                "additionalProperties": {},
                "description": "Sentences by field; nested input keeps its nesting.",
            },
            "message": {"type": "string"},
            "details": {"type": "object", "additionalProperties": {}},
            "request_id": {"type": "string"},
        },
    }
    components["responses"] = {
        f"Error{status}": _error_response(status, sentence)
        for status, sentence in ERROR_STATUSES.items()
    }
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            if IF_NONE_MATCH.name in _parameters_of(operation):
                operation["responses"]["304"] = {"description": "Not changed; without a body."}
            for response in operation["responses"].values():
                response["headers"] = REQUEST_ID | response.get("headers", {})
            for status in _errors_of(path, method, operation):
                reference = {"$ref": f"#/components/responses/Error{status}"}
                operation["responses"].setdefault(status, reference)
    return result


def _error_response(status, sentence):
    name, code = next((n, c) for n, c in ERROR_CODES.items() if str(c.status) == status)
    example = {
        "status": "error",
        "code": name,
        "errors": {"detail": [str(code.meaning)]},
        "message": str(code.meaning),
        "request_id": "6f1d2c0b7f5a4b1e9d3c8a7e5f4b2a10",
    }
    schema = {"$ref": "#/components/schemas/Error"}
    return {
        "description": sentence,
        "headers": REQUEST_ID | ERROR_HEADERS.get(status, {}),
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def _parameters_of(operation):
    return {parameter["name"] for parameter in operation.get("parameters", ())}


def _errors_of(path, method, operation):
    """Return the error statuses of an operation."""
    statuses = ["400", "401", "406", "429", "503"]
    if operation.get("security") != [{}] and operation.get("security"):
        statuses.append("403")
    parameters = _parameters_of(operation)
    if "{" in path or "page" in parameters:  # a page after the last one
        statuses.append("404")
    if method != "get":
        statuses.append("409")
    if "requestBody" in operation:
        statuses += ["413", "415"]
    if IF_MATCH.name in parameters:
        statuses.append("412")
    if IDEMPOTENCY_KEY.name in parameters:
        statuses.append("422")
    return sorted(statuses)
