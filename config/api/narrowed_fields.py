"""`?fields=id,status`: the response has only these fields of each record."""

from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError

PARAMETER = "fields"


def requested(request, serializer):
    """Return the set of the fields that the request names; raises a ValidationError."""
    known = [name for name, field in serializer.fields.items() if not field.write_only]
    names = request.query_params[PARAMETER].split(",")
    if not set(names) <= set(known):
        sentence = _("Choose from these fields, separated by commas: %(fields)s.")
        raise ValidationError({PARAMETER: [sentence % {"fields": ", ".join(known)}]})
    return frozenset(names)


def narrowed(data, fields):
    """Return the data of a response, a record or a page of records, with only these fields."""
    if fields is None:
        return data
    if "results" in data:
        return data | {"results": [narrowed(row, fields) for row in data["results"]]}
    return {name: value for name, value in data.items() if name in fields}
