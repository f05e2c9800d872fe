"""Query expressions."""

from typing import Any

from django.db.models import Exists

from config.db.types import BaseDatabaseWrapper, SQLCompiler


class RowByRowExists(Exists):
    """An Exists that PostgreSQL evaluates row by row if the query has a LIMIT.

    PostgreSQL would otherwise compute the subquery for all rows, because its planner does not
    consider the LIMIT there.
    """

    def as_sql(
        self,
        compiler: SQLCompiler,
        connection: BaseDatabaseWrapper,
        template: str | None = None,
        **extra: Any,
    ) -> tuple[str, Any]:
        if compiler.query.is_sliced:
            # OFFSET 0 keeps PostgreSQL from turning the subquery into a join.
            template = "EXISTS(%(subquery)s OFFSET 0)"
        return super().as_sql(compiler, connection, template, **extra)
