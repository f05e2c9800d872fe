"""Converts an IntegrityError of either engine to the ValidationError of its constraint."""

import re
from collections.abc import Callable, Iterable

from django.apps import apps
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models import BaseConstraint, Expression, F, Field, Lookup

# SQLite reports the columns of a plain unique index, and the name of any other constraint.
SQLITE_COLUMNS = re.compile(r"UNIQUE constraint failed: (\w+\.\w+(?:, \w+\.\w+)*)$")
SQLITE_NAME = re.compile(r"constraint failed: (?:index ')?(\w+)'?$")

# For errors that a model's Meta cannot describe: the name of a constraint or of a unique field
# (app.Model.field), mapped to a function that returns the ValidationError.
CONSTRAINT_ERRORS: dict[str, Callable[[], ValidationError]] = {}


def validation_error_for(error: BaseException) -> ValidationError | None:
    """Return the ValidationError for the violated constraint, or None if no model declares it.

    Without a declared constraint, the error is a server error.
    """
    diagnostics = getattr(error.__cause__, "diag", None)
    if diagnostics is not None:  # PostgreSQL
        return _by_name(diagnostics.constraint_name)
    if columns := SQLITE_COLUMNS.search(str(error)):
        return _by_columns(columns[1].split(", "))
    if name := SQLITE_NAME.search(str(error)):
        return _by_name(name[1])
    return None


def _by_name(name: str | None) -> ValidationError | None:
    if name in CONSTRAINT_ERRORS:
        return CONSTRAINT_ERRORS[name]()
    for model in apps.get_models():
        for constraint in model._meta.constraints:
            if constraint.name == name:
                return _as_error(constraint)
        for field in model._meta.local_concrete_fields:
            # Django names a unique column's constraint <table>_<column>_<hash>_uniq or lets
            # PostgreSQL call it <table>_<column>_key.
            stem = f"{model._meta.db_table}_{field.column}_"
            if field.unique and name and name.startswith(stem):
                return _not_unique(field)
    return None


def _by_columns(named: list[str]) -> ValidationError | None:
    """Find the error by the columns of the constraint, each as "table.column"."""
    table = named[0].partition(".")[0]
    columns = [name.partition(".")[2] for name in named]
    for model in apps.get_models():
        if model._meta.db_table != table or model._meta.proxy:
            continue
        for constraint in model._meta.constraints:
            if fields_of(constraint) == [column.removesuffix("_id") for column in columns]:
                return _as_error(constraint)
        for field in model._meta.local_concrete_fields:
            if [field.column] == columns and field.unique:
                return _not_unique(field)
    return None


def _as_error(constraint: BaseConstraint) -> ValidationError:
    message = constraint.get_violation_error_message()
    fields = fields_of(constraint) or _fields_of_check(constraint)
    field = fields[0] if len(fields) == 1 else NON_FIELD_ERRORS
    return ValidationError({field: ValidationError(message, code=constraint.violation_error_code)})


def _not_unique(field: Field) -> ValidationError:
    if str(field) in CONSTRAINT_ERRORS:
        return CONSTRAINT_ERRORS[str(field)]()
    sentence = field.model().unique_error_message(field.model, [field.name])
    return ValidationError({field.name: sentence})


def fields_of(constraint: BaseConstraint) -> list[str]:
    """Return the field names of a unique constraint; none for a check constraint."""
    names = _names_in(getattr(constraint, "expressions", ()))
    return names or list(getattr(constraint, "fields", ()))


def _fields_of_check(constraint: BaseConstraint) -> list[str]:
    """Return the field of a check constraint that is an expression, as of a text's length.

    The names in a Q are not expressions, and such a check compares several fields.
    """
    condition = getattr(constraint, "condition", None)
    return _names_in([condition]) if isinstance(condition, Lookup) else []


def _names_in(expressions: Iterable[Expression]) -> list[str]:
    return [
        part.name  # type: ignore[attr-defined]  # unknown to django-stubs
        for expression in expressions
        for part in expression.flatten()
        if isinstance(part, F)
    ]
