"""Fields that mean exactly what they say."""

import re

from django.forms import CharField as FormCharField
from django.forms import ValidationError as FormValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

CANONICAL_ID = re.compile(r"[0-9]{1,40}")
LARGEST_ID = 2**63 - 1
ID_SCHEMA = {"type": "integer", "format": "int64", "minimum": 1}
NON_CANONICAL = re.compile(r"[^!-~]|_")


def is_canonical(value):
    """Whether a number, day or time is not a text that Python alone would read as one.

    It would take 7_0, " 70 " and the digits of other scripts.
    """
    return not (isinstance(value, str) and NON_CANONICAL.search(value))


def parse_id(value):
    """The id that `value` spells (a whole number or its ASCII digits), or None.

    DRF alone would take 1.9, " 1 " and the digits of other scripts. An id past 64 bits becomes the
    largest there could be, which names nothing.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = str(value) if isinstance(value, str) or abs(value) <= LARGEST_ID else "9" * 20
    return min(int(text), LARGEST_ID) if CANONICAL_ID.fullmatch(text) else None


@extend_schema_field(ID_SCHEMA)
class RecordIdField(serializers.IntegerField):
    """The `id` of a row."""


class StrictPrimaryKeyField(serializers.PrimaryKeyRelatedField):
    """A record named by its id."""

    def to_internal_value(self, data):
        if (pk := parse_id(data)) is None:
            self.fail("incorrect_type", data_type=type(data).__name__)
        for found in self.get_queryset().filter(pk=pk):
            return found
        return self.fail("does_not_exist", pk_value=pk)


class IdFormField(FormCharField):
    """An id in the query string."""

    def clean(self, value):
        text = super().clean(value)
        if not text:
            return None
        if (pk := parse_id(text)) is None or text != value:
            raise FormValidationError("Enter an id: digits only.")
        return pk


class VisibleRelatedField(StrictPrimaryKeyField):
    """A record named in a body, as far as the caller sees it; otherwise it "does not exist".

    `scope="writable_by"` narrows it to what the caller may act for.
    """

    def __init__(self, scope="visible_to", **kwargs):
        self.scope = scope
        super().__init__(**kwargs)

    def get_queryset(self):
        rows = super().get_queryset()
        return getattr(rows, self.scope)(self.context["request"].user)
