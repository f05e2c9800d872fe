"""How PostgreSQL is told to keep large tables tidy, in a migration."""

from django.db import migrations

# How large a share of a table's rows may be new before it is looked after; a fifth unless told.
SHARES = [
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_analyze_scale_factor",
]
SOONER = ", ".join(f"{share} = 0.02" for share in SHARES)


def lower_autovacuum_threshold(*tables):
    """The operation: after a fiftieth of the rows. Of rows written since, a count by an index looks
    at the table as well.
    """

    def sooner(apps, schema_editor):
        _alter(tables, f"SET ({SOONER})", schema_editor)

    def as_before(apps, schema_editor):
        _alter(tables, f"RESET ({', '.join(SHARES)})", schema_editor)

    return migrations.RunPython(sooner, as_before)


def _alter(tables, how, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for table in tables:
            schema_editor.execute(f"ALTER TABLE {table} {how}")
