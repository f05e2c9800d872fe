"""How a rule says no: one ValidationError, at one field, with a code of the published list."""

from django.core.exceptions import ValidationError


def refused(field, sentence, code, **params):
    """To be raised. `params` fill the sentence; those that CODES names travel in `details`."""
    return ValidationError({field: ValidationError(sentence, code=code, params=params or None)})
