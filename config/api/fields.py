"""Fields that mean exactly what they say."""

import re

from django.forms import CharField as FormCharField
from django.forms import ValidationError as FormValidationError
from rest_framework import serializers

CANONICAL_ID = re.compile(r"[0-9]{1,40}")
LARGEST_ID = 2**63 - 1
BEYOND_PLAIN = re.compile(r"[^!-~]|_")


def is_plain(value):
    """Whether a number, day or time is not a text that Python alone would read as one.

    It would take 7_0, " 70 " and the digits of other scripts.
    """
    return not (isinstance(value, str) and BEYOND_PLAIN.search(value))


def strict_id(value):
    """The id that `value` spells (a whole number or its ASCII digits), or None.

    DRF alone would take 1.9, " 1 " and the digits of other scripts. An id past 64 bits becomes the
    largest there could be, which names nothing.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = str(value) if isinstance(value, str) or abs(value) <= LARGEST_ID else "9" * 20
    return min(int(text), LARGEST_ID) if CANONICAL_ID.fullmatch(text) else None


class StrictPrimaryKeyField(serializers.PrimaryKeyRelatedField):
    """A record named by its id."""

    def to_internal_value(self, data):
        if (pk := strict_id(data)) is None:
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
        if (pk := strict_id(text)) is None or text != value:
            raise FormValidationError("Enter an id: digits only.")
        return pk
