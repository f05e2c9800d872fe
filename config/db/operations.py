"""Migration operations that do not lock a table on PostgreSQL.

On SQLite each one acts as Django's ordinary operation; those of `django.contrib.postgres` fail
there.
"""

from copy import copy

from django.contrib.postgres import operations
from django.db import migrations, models

from config.db.types import BaseDatabaseSchemaEditor, ProjectState


def _is_postgresql(schema_editor: BaseDatabaseSchemaEditor) -> bool:
    return schema_editor.connection.vendor == "postgresql"


class AddIndexConcurrently(operations.AddIndexConcurrently):
    """Creates an index while the table is in use. The migration needs `atomic = False`."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if _is_postgresql(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        else:
            migrations.AddIndex.database_forwards(
                self, app_label, schema_editor, from_state, to_state
            )

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if _is_postgresql(schema_editor):
            super().database_backwards(app_label, schema_editor, from_state, to_state)
        else:
            migrations.AddIndex.database_backwards(
                self, app_label, schema_editor, from_state, to_state
            )


class RemoveIndexConcurrently(operations.RemoveIndexConcurrently):
    """Drops an index while the table is in use. The migration needs `atomic = False`."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if _is_postgresql(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        else:
            migrations.RemoveIndex.database_forwards(
                self, app_label, schema_editor, from_state, to_state
            )

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if _is_postgresql(schema_editor):
            super().database_backwards(app_label, schema_editor, from_state, to_state)
        else:
            migrations.RemoveIndex.database_backwards(
                self, app_label, schema_editor, from_state, to_state
            )


class AddConstraintNotValid(operations.AddConstraintNotValid):
    """Adds a check constraint for new rows only. On SQLite it holds for all rows at once."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if _is_postgresql(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)
        else:
            migrations.AddConstraint.database_forwards(
                self, app_label, schema_editor, from_state, to_state
            )


class ValidateConstraint(operations.ValidateConstraint):
    """Validates the rows that existed before the constraint, in a migration of its own."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if _is_postgresql(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class WidenDecimal(migrations.AlterField):
    """Gives a decimal column more digits.

    PostgreSQL would rewrite the table for a type with more decimal places. It gets a type without
    limits instead, which needs no rewrite; the model's validators keep the limits.
    """

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if not _is_postgresql(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        meta = to_state.apps.get_model(app_label, self.model_name)._meta
        table, column = meta.db_table, meta.get_field(self.name).column
        quote = schema_editor.quote_name
        schema_editor.execute(
            "-- squawk-ignore changing-column-type\n"
            f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(column)} TYPE numeric"
        )


class AddForeignKeyNotValid(migrations.AddField):
    """Adds a column with a foreign key `name_of_key` that holds for new rows only.

    ValidateConstraint of that name validates the earlier rows, in a migration of its own. On SQLite
    the key holds for all rows at once.
    """

    def __init__(
        self, model_name: str, name: str, field: models.ForeignKey, name_of_key: str
    ) -> None:
        self.name_of_key = name_of_key
        super().__init__(model_name, name, field)

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if not _is_postgresql(schema_editor):
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.model_name)
        key = model._meta.get_field(self.name)
        column = copy(key)
        column.db_constraint = False
        schema_editor.add_field(from_state.apps.get_model(app_label, self.model_name), column)
        quote = schema_editor.quote_name
        schema_editor.execute(
            f"ALTER TABLE {quote(model._meta.db_table)} ADD CONSTRAINT {quote(self.name_of_key)}"
            f" FOREIGN KEY ({quote(key.column)})"
            f" REFERENCES {quote(key.related_model._meta.db_table)}"
            f" ({quote(key.target_field.column)}) DEFERRABLE INITIALLY DEFERRED NOT VALID"
        )
