"""The tables of a database."""

from config.db.types import CursorWrapper

TABLE_NAMES = {
    "postgresql": "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'table'",
}


def table_names(vendor: str, cursor: CursorWrapper) -> set[str]:
    """Return the names of the tables that exist; `vendor` is that of the cursor's connection."""
    cursor.execute(TABLE_NAMES[vendor])
    return {name for (name,) in cursor.fetchall()}
