"""Types of Django's database layer, for annotations alone.

Django's documentation does not name these classes, so they are not imported when the code runs.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.backends.utils import CursorWrapper
    from django.db.migrations.state import ProjectState, StateApps
    from django.db.models.sql.compiler import SQLCompiler
else:
    BaseDatabaseWrapper = BaseDatabaseSchemaEditor = CursorWrapper = Any
    ProjectState = StateApps = SQLCompiler = Any

__all__ = [
    "BaseDatabaseSchemaEditor",
    "BaseDatabaseWrapper",
    "CursorWrapper",
    "ProjectState",
    "SQLCompiler",
    "StateApps",
]
