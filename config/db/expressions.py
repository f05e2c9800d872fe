"""Query expressions."""

from django.db.models import Exists


class RowByRowExists(Exists):
    """As Exists; where a page of rows is wanted, it is asked of one after the other.

    PostgreSQL would first list whatever there is for any row: it does not see the LIMIT from there.
    """

    def as_sql(self, compiler, connection, template=None, **extra):
        if compiler.query.is_sliced:
            template = "EXISTS(%(subquery)s OFFSET 0)"  # by which PostgreSQL lets it stand
        return super().as_sql(compiler, connection, template, **extra)
