"""Text columns: every one has a length, and one-line texts contain only visible characters.

The length is declared once, as `max_length` of the model field. Forms and serializers read it from
there, and `length_checks` gives the database the same limit.
"""

import unicodedata
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models.functions import Length
from django.db.models.lookups import LessThanOrEqual
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

MAX_NAME_LENGTH = 150
MAX_LINE_LENGTH = 500
MAX_PATIENT_TEXT_LENGTH = 10_000  # what patients write
MAX_CLINICAL_TEXT_LENGTH = 50_000
MAX_REASON_LENGTH = 2_000

# Control and format characters (among them those that change the writing direction), line and
# paragraph separators.
REFUSED_CATEGORIES = {"Cc", "Cf", "Zl", "Zp"}
# Unicode counts these as letters, but they are invisible.
FILLERS = {"\u115f", "\u1160", "\u3164", "\uffa0"}

# Persian and the scripts of India, Sri Lanka and their neighbours spell words with these two
# format characters. They follow a letter or mark of such a script; in old Malayalam texts one can
# also end a word.
JOINERS = {"\u200c", "\u200d"}
SCRIPTS_WITH_JOINERS = {
    "ARABIC", "SYRIAC", "MONGOLIAN", "DEVANAGARI", "BENGALI", "GURMUKHI", "GUJARATI", "ORIYA",
    "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "TIBETAN", "MYANMAR", "KHMER",
}  # fmt: skip


def normalise_line(value: str) -> str:
    """Return the text in Unicode's composed form (NFC), without spaces around it."""
    return unicodedata.normalize("NFC", value.strip())


def validate_line(value: str) -> None:
    """Refuse line breaks, invisible characters, and texts without a letter or digit."""
    if any(_is_refused(value, place) for place in range(len(value))):
        raise ValidationError(
            _("Write this in one line, without control characters or invisible characters."),
            code="invalid",
        )
    if not any(unicodedata.category(character)[0] in "LN" for character in value):
        raise ValidationError(_("Enter at least one letter or digit."), code="invalid")


def _is_refused(value: str, place: int) -> bool:
    character = value[place]
    if character in JOINERS:
        return not (place and _takes_joiners(value[place - 1]))
    return character in FILLERS or unicodedata.category(character) in REFUSED_CATEGORIES


def _takes_joiners(character: str) -> bool:
    is_letter_or_mark = unicodedata.category(character)[0] in "LM"
    script = unicodedata.name(character, "").partition(" ")[0]
    return is_letter_or_mark and script in SCRIPTS_WITH_JOINERS


class LineField(models.CharField):
    """A name, a title or another text of one line. It is stored in NFC."""

    default_validators = [validate_line]

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return normalise_line(value) if isinstance(value, str) else value


class MultilineFormField(forms.CharField):
    """A text with line breaks. Browsers send each as CR LF; that alone is no change."""

    def to_python(self, value: Any) -> Any:
        return _unix_newlines(super().to_python(value))

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(_unix_newlines(initial), data)


def _unix_newlines(value: Any) -> Any:
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


class BoundedTextField(models.TextField):
    """A TextField whose `max_length` also model validation enforces."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.validators.append(MaxLengthValidator(kwargs["max_length"]))

    def formfield(self, **kwargs: Any) -> Any:
        return super().formfield(**{"form_class": MultilineFormField} | kwargs)


def text_names(model: type[models.Model]) -> list[str]:
    """Return the names of the model's text fields, without those with choices."""
    return [
        field.name
        for field in model._meta.concrete_fields
        if isinstance(field, (models.CharField, models.TextField)) and not field.choices
    ]


def length_checks(table: str, **lengths: int) -> list[models.BaseConstraint]:
    """Return a check constraint for each named column: at most so many characters.

    PostgreSQL itself limits a `varchar`, SQLite limits no text.
    """
    return [
        models.CheckConstraint(
            condition=LessThanOrEqual(Length(field), length),
            name=f"{table}_{field}_length",
            violation_error_code="max_length",
            violation_error_message=format_lazy(
                _("Use at most {length} characters."), length=length
            ),
        )
        for field, length in lengths.items()
    ]
