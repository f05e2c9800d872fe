"""Migration operations that add the constraints of `config.db.text.length_checks`.

No text is cut. Rows with a longer text stay readable on PostgreSQL, where the constraint holds for
new and changed rows only. SQLite has no such constraint: the migration stops there before it
changes anything, and names the rows.
"""

import logging
from functools import partial

from django.db import migrations
from django.db.models import Model
from django.db.models.functions import Length

from config.db.operations import AddConstraintNotValid
from config.db.text import length_checks
from config.db.types import BaseDatabaseSchemaEditor, StateApps

MAX_ROWS_NAMED = 100  # for each column

logger = logging.getLogger(__name__)


class TextTooLongError(Exception):
    """Rows have texts that are longer than the new limit."""


def add_length_checks(
    app: str, model: str, table: str, **lengths: int
) -> list[migrations.RunPython | AddConstraintNotValid]:
    """Return the operations that add the constraints; the arguments are those of the model."""
    return [
        migrations.RunPython(
            partial(_stop_on_sqlite, app=app, model=model, lengths=lengths),
            migrations.RunPython.noop,
        ),
        *(
            AddConstraintNotValid(model, constraint)
            for constraint in length_checks(table, **lengths)
        ),
    ]


def validate_length_checks(
    app: str, model: str, table: str, **lengths: int
) -> migrations.RunPython:
    """Return the operation for the next migration: it validates the rows that exist already.

    A constraint that rows violate stays as it is, and a warning names the rows.
    """
    return migrations.RunPython(
        partial(_validate, app=app, model=model, table=table, lengths=lengths),
        migrations.RunPython.noop,
    )


def _stop_on_sqlite(
    apps: StateApps,
    schema_editor: BaseDatabaseSchemaEditor,
    *,
    app: str,
    model: str,
    lengths: dict[str, int],
) -> None:
    if schema_editor.connection.vendor == "postgresql":
        return
    rows = apps.get_model(app, model)
    found = [text for name, length in lengths.items() if (text := _too_long(rows, name, length))]
    if found:
        advice = "Nothing was changed. Shorten these texts with the previous release, then migrate."
        raise TextTooLongError("\n".join([*found, advice]))


def _validate(
    apps: StateApps,
    schema_editor: BaseDatabaseSchemaEditor,
    *,
    app: str,
    model: str,
    table: str,
    lengths: dict[str, int],
) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    rows, quote = apps.get_model(app, model), schema_editor.quote_name
    for constraint, (name, length) in zip(
        length_checks(table, **lengths), lengths.items(), strict=True
    ):
        if found := _too_long(rows, name, length):
            logger.warning("%s These rows cannot be changed until the texts are shorter.", found)
        else:
            schema_editor.execute(
                f"ALTER TABLE {quote(rows._meta.db_table)} "
                f"VALIDATE CONSTRAINT {quote(constraint.name)}"
            )


def _too_long(model: type[Model], field: str, length: int) -> str:
    """Return a sentence that names the rows with a longer text; empty if there are none."""
    rows = model._base_manager.annotate(size=Length(field)).filter(size__gt=length).order_by("pk")
    sizes = list(rows.values_list("pk", "size")[: MAX_ROWS_NAMED + 1])
    if not sizes:
        return ""
    named = ", ".join(f"id {pk} ({size})" for pk, size in sizes[:MAX_ROWS_NAMED])
    more = " and more" if len(sizes) > MAX_ROWS_NAMED else ""
    return (
        f"{model._meta.db_table}.{field} may have at most {length} characters. "
        f"Longer, with their lengths: {named}{more}."
    )
