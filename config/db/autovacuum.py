"""A migration operation that lets PostgreSQL vacuum large tables more often."""

from django.db import migrations

from config.db.types import BaseDatabaseSchemaEditor, StateApps

# The share of new rows after which PostgreSQL vacuums or analyzes a table; the default is 0.2.
SCALE_FACTORS = [
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_analyze_scale_factor",
]
LOWER_VALUES = ", ".join(f"{name} = 0.02" for name in SCALE_FACTORS)


def lower_autovacuum_threshold(*tables: str) -> migrations.RunPython:
    """Return an operation that sets the thresholds of `tables` to 0.02.

    For rows written since the last vacuum, an index-only count must read the table as well.
    """

    def lower(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        _alter(tables, f"SET ({LOWER_VALUES})", schema_editor)

    def reset(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
        _alter(tables, f"RESET ({', '.join(SCALE_FACTORS)})", schema_editor)

    return migrations.RunPython(lower, reset)


def _alter(tables: tuple[str, ...], action: str, schema_editor: BaseDatabaseSchemaEditor) -> None:
    if schema_editor.connection.vendor == "postgresql":
        for table in tables:
            schema_editor.execute(f"ALTER TABLE {table} {action}")
