"""How a rule says no: one ValidationError, at one field, with a code of the published list."""

from django.core.exceptions import ValidationError


def rule_error(field, sentence, code, **params):
    """To be raised. `params` fill the sentence; those that CODES names travel in `details`.

    One of these may be a function: it is called for the answer, when nobody waits for the locks of
    the transaction that was refused.
    """
    return ValidationError({field: ValidationError(sentence, code=code, params=params or None)})
