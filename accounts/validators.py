"""Validators of the fields of a user."""

import unicodedata
from datetime import date

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.deconstruct import deconstructible
from django.utils.translation import gettext_lazy as _

EARLIEST_BIRTH_DATE = date(1900, 1, 1)

phone = RegexValidator(
    r"\A[0-9 +\-()./]{1,32}\Z",
    _("Enter a phone number: digits, spaces and +-()./, at most 32 characters."),
)

# Letters of other scripts can look like Latin ones, so that two addresses could look the same.
ascii_only = RegexValidator(r"\A[\x21-\x7e]+\Z", _("Use unaccented Latin letters only."))

MAX_PHONE_LENGTH = 18  # digits; any such number fits into 64 bits


VISIBLE = frozenset("LNPS")  # general categories of Unicode: letters, numbers, punctuation, symbols
BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # look like a space all the same


def visible_length(text):
    """Return the number of characters that leave a mark: no spaces, no format characters."""
    return sum(unicodedata.category(one)[0] in VISIBLE and one not in BLANK_LETTERS for one in text)


@deconstructible
class MinVisibleLength:
    """Requires a number of visible characters."""

    def __init__(self, limit):
        self.limit = limit

    def __call__(self, value):
        if visible_length(value) < self.limit:
            raise ValidationError(
                _("Enter at least %(limit)d visible characters."),
                code="min_length",
                params={"limit": self.limit},
            )

    def __eq__(self, other):
        return isinstance(other, MinVisibleLength) and self.limit == other.limit

    def __hash__(self):
        return hash(self.limit)


def date_of_birth(value):
    if not EARLIEST_BIRTH_DATE <= value <= timezone.localdate():
        raise ValidationError(_("Enter a date of birth between 1900-01-01 and today."))


def is_number(text):
    """Return whether the text may be the id of a row."""
    return text.isascii() and text.isdigit() and len(text) <= MAX_PHONE_LENGTH
