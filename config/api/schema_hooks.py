"""Corrections of the OpenAPI document that drf-spectacular generates."""

from copy import deepcopy

from config.api.fields import ID_SCHEMA

REFERENCE = "#/components/schemas/"
JSON, FORM = "application/json", "multipart/form-data"
AVATAR_JSON_SCHEMA = {
    "type": ["string", "null"],
    "format": "uri",
    "description": "null deletes the picture, its own URL keeps it; send a new one in a form.",
}


def document_path_ids(result, generator, request, public):
    """Document the ids in addresses as integers; the generator knows only their pattern."""
    for operations in result["paths"].values():
        for operation in operations.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path" and "0-9]+$" in parameter["schema"].get("pattern", ""):
                    parameter["schema"] = dict(ID_SCHEMA)
    return result


def fix_polymorphic_schemas(result, generator, request, public):
    """Add discriminators to polymorphic responses, and separate schemas for forms with files."""
    schemas = result["components"]["schemas"]
    _add_discriminator(schemas)
    for operations in result["paths"].values():
        for operation in operations.values():
            content = operation.get("requestBody", {}).get("content", {})
            if FORM in content:
                content[FORM]["schema"] = _add_multipart(content[FORM]["schema"], schemas)
    for name, schema in schemas.items():
        for field, description in schema.get("properties", {}).items():
            if description.get("format") == "binary" and not name.endswith("Form"):
                schema["properties"][field] = AVATAR_JSON_SCHEMA
    return result


def _add_discriminator(schemas):
    for name, schema in list(schemas.items()):
        if "discriminator" not in schema:
            continue
        if name.endswith("Request"):  # the discriminator is read-only
            schemas[name] = {"anyOf": schema["oneOf"]}
            continue
        discriminator = schema["discriminator"]["propertyName"]
        for value, reference in schema["discriminator"]["mapping"].items():
            variant = schemas[reference.removeprefix(REFERENCE)]
            variant["properties"][discriminator] = {"type": "string", "enum": [value]}


def _add_multipart(reference, schemas):
    """Return a reference to the schema's form variant, and create the variant if needed."""
    name = reference["$ref"].removeprefix(REFERENCE)
    if f"{name}Form" not in schemas:
        form = deepcopy(schemas[name])
        if "anyOf" in form:
            form["anyOf"] = [_add_multipart(one, schemas) for one in form["anyOf"]]
        schemas[f"{name}Form"] = form
    return {"$ref": f"{REFERENCE}{name}Form"}
