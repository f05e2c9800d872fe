"""Fields with a strict input format."""

import re
from datetime import date

from django.forms import CharField as FormCharField
from django.forms import ValidationError as FormValidationError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from config.db.text import normalise_line

CANONICAL_ID = re.compile(r"[0-9]{1,40}")
LARGEST_ID = 2**63 - 1
ID_SCHEMA = {"type": "integer", "format": "int64", "minimum": 1}
NON_CANONICAL = re.compile(r"[^!-~]|_")

# No time zone shifts a date between these beyond the limits of datetime.
EARLIEST, LATEST = date(1800, 1, 1), date(2200, 12, 31)


def is_canonical(value):
    """Return whether the text of a number, date or time has only printable ASCII characters.

    Python would also accept 7_0, " 70 " and the digits of other scripts.
    """
    return not (isinstance(value, str) and NON_CANONICAL.search(value))


def parse_id(value):
    """Return the id that `value` (an int or a text of ASCII digits) denotes, or None.

    DRF would also accept 1.9, " 1 " and the digits of other scripts. An id of more than 64 bits
    becomes the largest possible id, which no row has.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return None
    text = str(value) if isinstance(value, str) or abs(value) <= LARGEST_ID else "9" * 20
    return min(int(text), LARGEST_ID) if CANONICAL_ID.fullmatch(text) else None


def is_in_calendar(day):
    """Return whether a date lies between EARLIEST and LATEST."""
    return EARLIEST <= day <= LATEST


def out_of_calendar_error():
    sentence = _("Enter a date between %(earliest)s and %(latest)s.")
    return serializers.ValidationError(sentence % {"earliest": EARLIEST, "latest": LATEST})


class BoundedDateTimeField(serializers.DateTimeField):
    """A date-time between EARLIEST and LATEST; any other overflows in a time zone conversion."""

    def to_internal_value(self, value):
        try:
            moment = super().to_internal_value(value)
        except OverflowError as error:
            raise out_of_calendar_error() from error
        if not is_in_calendar(moment.date()):
            raise out_of_calendar_error()
        return moment


class LineField(serializers.CharField):
    """The text of a model's LineField."""

    def to_internal_value(self, data):
        return normalise_line(super().to_internal_value(data))


@extend_schema_field(ID_SCHEMA)
class RecordIdField(serializers.IntegerField):
    """The `id` of a row."""


class StrictPrimaryKeyField(serializers.PrimaryKeyRelatedField):
    """A reference to a record by its id."""

    def to_internal_value(self, data):
        if (pk := parse_id(data)) is None:
            self.fail("incorrect_type", data_type=type(data).__name__)
        record = self.find(pk)
        return self.fail("does_not_exist", pk_value=pk) if record is None else record

    def find(self, pk):
        """Return the record, or None."""
        return next(iter(self.get_queryset().filter(pk=pk)), None)


class IdFormField(FormCharField):
    """An id in the query string."""

    def clean(self, value):
        text = super().clean(value)
        if not text:
            return None
        if (pk := parse_id(text)) is None or text != value:
            raise FormValidationError(_("Enter an id that consists of digits."))
        return pk


class VisibleRelatedField(StrictPrimaryKeyField):
    """A reference in a body to a record that the caller may see.

    Any other is refused with the same sentence, whether it exists or not. With
    `scope="writable_by"`, the caller must be allowed to write the record.
    """

    default_error_messages = {
        "does_not_exist": gettext_lazy(
            "There is no such record, or you may not use it. Choose another one."
        )
    }

    def __init__(self, scope="visible_to", **kwargs):
        self.scope = scope
        super().__init__(**kwargs)

    def get_queryset(self):
        rows = super().get_queryset()
        return getattr(rows, self.scope)(self.context["request"].user)
