"""Validation errors with a code of the published list (config.api.exceptions.ERROR_CODES)."""

from django.core.exceptions import ValidationError


def rule_error(field, sentence, code, **params):
    """Return a ValidationError for one field.

    `params` are inserted into the sentence; the one that ERROR_CODES names is sent in `details`. A
    param may be a function: it is called when the response is made, after the transaction has
    released its locks.
    """
    return ValidationError({field: ValidationError(sentence, code=code, params=params or None)})
