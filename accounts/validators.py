"""Validators of the fields of a user."""

from datetime import date

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

EARLIEST_BIRTH_DATE = date(1900, 1, 1)

phone = RegexValidator(
    r"\A[0-9 +\-()./]{1,32}\Z",
    _("Enter a phone number: digits, spaces and +-()./, at most 32 characters."),
)

# Letters of other scripts can look like Latin ones, so that two addresses could look the same.
ascii_only = RegexValidator(r"\A[\x21-\x7e]+\Z", _("Use unaccented Latin letters only."))

MAX_PHONE_LENGTH = 18  # digits; any such number fits into 64 bits


def date_of_birth(value):
    if not EARLIEST_BIRTH_DATE <= value <= timezone.localdate():
        raise ValidationError(_("Enter a date of birth between 1900-01-01 and today."))


def is_number(text):
    """Return whether the text may be the id of a row."""
    return text.isascii() and text.isdigit() and len(text) <= MAX_PHONE_LENGTH
