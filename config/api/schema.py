"""The OpenAPI document: texts, envelope, headers and examples of each operation.

config.api.error_schemas adds the errors, config.api.schema_hooks corrects what remains.
"""

from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiExample, OpenApiParameter

from config.api import narrowed_fields
from config.api.etags import VersionedMixin
from config.api.fields import ID_SCHEMA
from config.api.renderers import DEFAULT_MESSAGE
from config.api.serializers import example_body
from config.db.querysets import fields_hidden_from_some

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

FIELDS = OpenApiParameter(
    narrowed_fields.PARAMETER,
    {"type": "array", "items": {"type": "string"}},
    style="form",
    explode=False,
    description="Only these fields of each record, such as `id,status`. The document describes "
    "the response without this parameter.",
)

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


# The headers of responses, by name.
REQUEST_ID = {"X-Request-ID": {"required": True, "schema": {"type": "string"}}}
ETAG = {
    "ETag": {
        "description": "The version of the record, for If-Match.",
        "schema": {"type": "string"},
    }
}
REPLAYED = {
    "Idempotency-Replayed": {
        "description": "Sent if the Idempotency-Key was used before: the first request's result.",
        "schema": {"type": "string", "enum": ["true"]},
    }
}


class EnvelopeAutoSchema(AutoSchema):
    """Documents responses in the envelope, and the texts and headers of an operation."""

    @property
    def documented(self):
        return self.view.documentation.operations[self.view.action]

    def get_operation_id(self):
        return self.documented.id

    def get_summary(self):
        return self.documented.summary

    def get_description(self):  # type: ignore[override]  # as in drf-spectacular
        return self.documented.description

    def get_paginated_name(self, serializer_name):
        return f"{serializer_name}Page"

    def get_tags(self):
        return [self.view.documentation.tag]

    def get_override_parameters(self):
        parameters = [IDEMPOTENCY_KEY] * self._takes_idempotency_key()
        parameters += [FIELDS] * (self.method == "GET" and self.view.takes_fields())
        parameters += [IF_MATCH] * (self.view.action in getattr(self.view, "if_match", ()))
        return parameters + [IF_NONE_MATCH] * (
            self.view.action in getattr(self.view, "if_none_match", ())
        )

    def _takes_idempotency_key(self):
        action = getattr(self.view, self.view.action, None)
        return getattr(action, "takes_idempotency_key", False)

    def get_examples(self):
        """Return the `example` of the request serializer."""
        if self.method not in ("POST", "PUT", "PATCH"):
            return []
        body = example_body(_entity_description(self.get_request_serializer()))
        return [OpenApiExample("Request", value=body, request_only=True)] if body else []

    def get_response_serializers(self):
        serializer = super().get_response_serializers()
        return getattr(serializer, "response_class", None) or serializer

    def resolve_serializer(self, serializer, direction, bypass_extensions=False):
        """Return the component: without docstrings, and in responses with what is always sent."""
        component = super().resolve_serializer(serializer, direction, bypass_extensions)
        shape = component.schema if component else None
        if shape and "properties" in shape:
            shape.pop("description", None)
            for field in shape["properties"].values():
                field.pop("writeOnly", None)  # requests have components of their own
            if direction == "response":
                meta = getattr(serializer, "Meta", None)
                optional = fields_hidden_from_some(meta.model) if hasattr(meta, "model") else ()
                _describe_response(shape, optional)
        return component

    def get_operation(self, *args, **kwargs):
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        serializers = self.get_response_serializers()
        for status, response in operation["responses"].items():
            response["headers"] = REQUEST_ID | self._headers() | response.get("headers", {})
            if status == "204":
                response["description"] = "Done."
                continue
            answered = serializers[int(status)] if isinstance(serializers, dict) else serializers
            content = response.setdefault("content", {}).setdefault("application/json", {})
            content["schema"] = envelope(content.get("schema", {"type": "null"}))
            is_page = "page" in parameters_of(operation)
            example = self.example_answer(answered, is_page=is_page)
            content["example"] = example
            response["description"] = example["message"]
        return operation

    def _headers(self):
        sends_version = self.view.action == "retrieve" or self.view.action in {
            *getattr(self.view, "if_match", ()),
            *getattr(self.view, "if_none_match", ()),
        }
        has_version = isinstance(self.view, VersionedMixin) and self.method != "DELETE"
        etag = ETAG if has_version and (sends_version or self.view.action == "create") else {}
        return etag | (REPLAYED if self._takes_idempotency_key() else {})

    def example_answer(self, serializer, *, is_page):
        data = getattr(_entity_description(serializer), "example", None)
        if is_page:
            data = {"count": 1, "next": None, "previous": None, "results": [data]}
        messages = getattr(self.view, "messages", {})
        message = messages.get(self.view.action, DEFAULT_MESSAGE)
        return {"status": "success", "data": data, "message": str(message)}


def envelope(data):
    """Return the schema of a successful response whose `data` has the given schema."""
    return {
        "type": "object",
        "required": ["status", "data", "message"],
        "properties": {
            "status": {"type": "string", "enum": ["success"]},
            "data": data,
            "message": {"type": "string"},
        },
    }


def _describe_response(shape, optional):
    """Require all fields but the optional ones, and leave out what concerns requests only."""
    shape["required"] = [name for name in shape["properties"] if name not in optional]
    for name, field in shape["properties"].items():
        field.pop("readOnly", None)
        field.pop("maxLength", None)  # a text from before the limits may be longer
        if list(field) == ["allOf"] and len(field["allOf"]) == 1:
            shape["properties"][name] = field["allOf"][0]
        if field.get("format") == "email":  # an account can lose its address
            shape["properties"][name] = {"oneOf": [field, {"type": "string", "maxLength": 0}]}


def _entity_description(serializer):
    """Return a list's child serializer, and the first serializer of a polymorphic one."""
    serializer = getattr(serializer, "child", serializer)
    variants = getattr(serializer, "serializers", None)
    if isinstance(variants, dict):
        variants = list(variants.values())
    return variants[0] if variants else serializer


def parameters_of(operation):
    """Return the names of the parameters of an operation."""
    return {parameter["name"] for parameter in operation.get("parameters", ())}
