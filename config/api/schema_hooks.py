"""What drf-spectacular cannot know of the shapes in the OpenAPI document."""

from copy import deepcopy

REFERENCE = "#/components/schemas/"
JSON, FORM = "application/json", "multipart/form-data"
AVATAR_JSON_SCHEMA = {
    "type": "string",
    "format": "uri",
    "nullable": True,
    "description": "null takes it away, its own address leaves it; a new one wants a form.",
}


def fix_polymorphic_schemas(result, generator, request, public):
    """Of several shapes an answer has exactly one, and a form with a picture is not its JSON."""
    schemas = result["components"]["schemas"]
    _add_discriminator(schemas)
    for operations in result["paths"].values():
        for operation in operations.values():
            content = operation.get("requestBody", {}).get("content", {})
            if FORM in content:
                content[FORM]["schema"] = _add_multipart(content[FORM]["schema"], schemas)
    for name, schema in schemas.items():
        for field, told in schema.get("properties", {}).items():
            if told.get("format") == "binary" and not name.endswith("Form"):
                schema["properties"][field] = AVATAR_JSON_SCHEMA
    return result


def _add_discriminator(schemas):
    for name, schema in list(schemas.items()):
        if "discriminator" not in schema:
            continue
        if name.endswith("Request"):  # what tells them apart is read-only, so not in a body
            schemas[name] = {"anyOf": schema["oneOf"]}
            continue
        told_by = schema["discriminator"]["propertyName"]
        for value, reference in schema["discriminator"]["mapping"].items():
            shape = schemas[reference.removeprefix(REFERENCE)]
            shape["properties"][told_by] = {"type": "string", "enum": [value], "readOnly": True}


def _add_multipart(reference, schemas):
    """A reference to the same shape in which files are files; the shape is made if need be."""
    name = reference["$ref"].removeprefix(REFERENCE)
    if f"{name}Form" not in schemas:
        shape = deepcopy(schemas[name])
        if "anyOf" in shape:
            shape["anyOf"] = [_add_multipart(one, schemas) for one in shape["anyOf"]]
        schemas[f"{name}Form"] = shape
    return {"$ref": f"{REFERENCE}{name}Form"}
