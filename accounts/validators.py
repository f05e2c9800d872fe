"""What a name, a number or a date of a person may look like."""

from datetime import date

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.utils import timezone

EARLIEST_BIRTH_DATE = date(1900, 1, 1)

phone = RegexValidator(
    r"\A[0-9 +\-()./]{1,32}\Z",
    "Enter a phone number: digits, spaces and +-()./, at most 32 characters.",
)

# Letters of other scripts look like Latin ones; two addresses that read alike must be one address.
ascii_only = RegexValidator(r"\A[\x21-\x7e]+\Z", "Use unaccented Latin letters only.")

MAX_PHONE_LENGTH = 18  # digits, which every database can hold


def date_of_birth(value):
    if not EARLIEST_BIRTH_DATE <= value <= timezone.localdate():
        raise ValidationError("Enter a date of birth between 1900-01-01 and today.")


def is_number(text):
    """Whether it could be the number of a row, in any table."""
    return text.isascii() and text.isdigit() and len(text) <= MAX_PHONE_LENGTH
