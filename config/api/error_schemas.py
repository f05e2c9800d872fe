"""The errors in the OpenAPI document.

Each status has one component with its codes; a code with `details` has a component of its own. The
`errors` of an operation name the fields and parameters of its request; a field that the operation
does not know has its sentence under its own name.
"""

from config.api.exceptions import ERROR_CODES
from config.api.schema import (
    IDEMPOTENCY_KEY,
    IF_NONE_MATCH,
    REQUEST_ID,
    parameters_of,
)

SCHEMAS = "#/components/schemas/"
STRING = {"type": "string"}
SENTENCES = {"type": "array", "items": STRING}
SENTENCES_BY_PLACE = {"type": "object", "additionalProperties": SENTENCES}
RECORD_ID = {"type": "integer", "format": "int64", "minimum": 1}
INSTANT = {"type": "string", "format": "date-time"}

RETRY_AFTER = {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}}
ERROR_HEADERS = {
    401: {"WWW-Authenticate": {"required": True, "schema": STRING}},
    409: {"Retry-After": RETRY_AFTER["Retry-After"] | {"required": False}},
    429: RETRY_AFTER,
    503: RETRY_AFTER,
}


# Status: (name of its component, description). 405 is for undocumented methods, and 500 is never
# expected.
STATUSES = {
    400: ("BadRequest", "The request is malformed or a field is wrong."),
    401: ("Unauthorized", "The credentials are missing or invalid."),
    403: ("Forbidden", "The caller's role may not do this."),
    404: ("NotFound", "The record does not exist, or the caller may not see it."),
    406: ("NotAcceptable", "No representation matches the Accept header."),
    409: ("Conflict", "The record's state does not allow this."),
    412: ("PreconditionFailed", "The record's version is not one of those in If-Match."),
    413: ("ContentTooLarge", "The body is larger than the limit."),
    415: ("UnsupportedMediaType", "The body has an unsupported media type."),
    422: ("UnprocessableContent", "The Idempotency-Key was used for another request."),
    429: ("TooManyRequests", "Too many requests."),
    503: ("ServiceUnavailable", "The database does not answer at the moment."),
}


def an_object(properties, *, required=None):
    required = list(properties) if required is None else required
    return {"type": "object", "required": required, "properties": properties}


ALTERNATIVE = an_object({"time_slot": RECORD_ID, "starts_at": INSTANT, "ends_at": INSTANT})

PERSON = an_object(
    {
        "id": RECORD_ID,
        "display": STRING,
        "full_name": STRING,
        "date_of_birth": {"type": "string", "format": "date"},
        "phone": STRING,
        "email": STRING,
    }
)

# The schemas of `details`, by code. A test compares the codes with ERROR_CODES.
DETAILS = {
    "page_too_large": {"page_size": {"type": "integer", "minimum": 1}},
    "slot_taken": {"alternatives": {"type": "array", "items": ALTERNATIVE}},
    "invalid_transition": {"allowed": {"type": "array", "items": {"$ref": f"{SCHEMAS}MoveEnum"}}},
    "consultation_exists": {"consultation": {"type": ["integer", "null"], "format": "int64"}},
    "allergy_conflict": {"matches": SENTENCES},
    "possible_duplicate": {"matches": {"type": "array", "items": PERSON}},
}

ERRORS = {
    "Errors": {
        "type": "object",
        "description": "Sentences by field; `detail` has those about the whole request.",
        "additionalProperties": SENTENCES,
    }
}


def document_errors(result, generator, request, public):
    """Add the errors of each status as components, and its errors to each operation."""
    schemas = result["components"]["schemas"]
    schemas |= ERRORS
    for status in STATUSES:
        schemas |= _components_of(status)
    result["components"]["responses"] = {
        _name(status): _response(status, f"{SCHEMAS}Errors") for status in STATUSES
    }
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            if IF_NONE_MATCH.name in parameters_of(operation):
                operation["responses"]["304"] = {
                    "description": "Not changed; without a body.",
                    "headers": REQUEST_ID,
                }
            fields = _request_fields(operation, schemas)
            own_errors = f"{_capitalized(operation['operationId'])}Errors"
            if fields:
                schemas[own_errors] = an_object(fields, required=[])
            for status in _errors_of(path, method, operation):
                if fields and status in (400, 409):
                    response = _response(status, f"{SCHEMAS}{own_errors}")
                else:
                    response = {"$ref": f"#/components/responses/{_name(status)}"}
                operation["responses"].setdefault(str(status), response)
    return result


def _name(status):
    return STATUSES[status][0]


def _capitalized(name):
    return f"{name[0].upper()}{name[1:]}"


def _components_of(status):
    """Return the components of one status: one for each code with details, one for the others."""
    codes = {name: code for name, code in ERROR_CODES.items() if code.status == status}
    own = {name: _capitalized(_camel_case(name)) for name in codes if name in DETAILS}
    other = _body([name for name in codes if name not in DETAILS], codes)
    if not own:
        return {_name(status): other}
    components = {own[name]: _body([name], codes, details=an_object(DETAILS[name])) for name in own}
    components[f"Other{_name(status)}"] = other
    components[_name(status)] = {"oneOf": [{"$ref": f"{SCHEMAS}{name}"} for name in components]}
    return components


def _camel_case(name):
    return "".join(word.capitalize() for word in name.split("_"))


def _body(names, codes, **more):
    """Return the schema of an error body without its `errors`."""
    meanings = "\n".join(f"* `{name}`: {codes[name].meaning}" for name in names)
    code = {"type": "string", "enum": names, "description": meanings}
    status = {"type": "string", "enum": ["error"]}
    return an_object(
        {"status": status, "code": code, "message": STRING, "request_id": STRING} | more
    )


def _response(status, errors):
    name, code = next((n, c) for n, c in ERROR_CODES.items() if c.status == status)
    schema = {
        "allOf": [
            {"$ref": f"{SCHEMAS}{_name(status)}"},
            an_object({"errors": {"$ref": errors}}),
        ]
    }
    example = {
        "status": "error",
        "code": name,
        "errors": {"detail": [str(code.meaning)]},
        "message": str(code.meaning),
        "request_id": "6f1d2c0b7f5a4b1e9d3c8a7e5f4b2a10",
    }
    return {
        "description": STATUSES[status][1],
        "headers": REQUEST_ID | ERROR_HEADERS.get(status, {}),
        "content": {"application/json": {"schema": schema, "example": example}},
    }


def _request_fields(operation, schemas):
    """Return {name: schema of its errors} of the body's fields and the query's parameters."""
    fields = {}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        for name, field in _properties(content["schema"], schemas).items():
            fields[name] = _errors_of_field(field)
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query":
            fields[parameter["name"]] = SENTENCES
    return fields and fields | {"non_field_errors": SENTENCES, "detail": SENTENCES}


def _errors_of_field(field):
    """Return the schema of a field's errors: those of a list may name the place of an element."""
    is_list = field.get("type") == "array"
    return {"anyOf": [SENTENCES, SENTENCES_BY_PLACE]} if is_list else SENTENCES


def _properties(schema, schemas):
    if "$ref" in schema:
        schema = schemas[schema["$ref"].removeprefix(SCHEMAS)]
    found = dict(schema.get("properties", {}))
    for variant in schema.get("anyOf", []) + schema.get("oneOf", []):
        found |= _properties(variant, schemas)
    return found


def _errors_of(path, method, operation):
    """Return the error statuses of an operation."""
    statuses = {400, 401, 406, 429, 503}
    if operation.get("security") != [{}] and operation.get("security"):
        statuses.add(403)
    parameters = parameters_of(operation)
    takes_key = IDEMPOTENCY_KEY.name in parameters
    if "{" in path or "page" in parameters or takes_key:  # a page or a record that is gone
        statuses.add(404)
    if method != "get":
        statuses |= {409, 412}  # 412 also where If-Match is sent for a record without versions
    if method in ("post", "put", "patch"):
        statuses |= {413, 415}
    if takes_key:
        statuses.add(422)
    return sorted(statuses)
