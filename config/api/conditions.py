"""Conditions on rows: asked of one after the other, and the same for everybody."""

from django.db.models import BooleanField, Exists, Q
from django.db.models.expressions import Expression
from django.db.models.sql import Query

from config.api.query_shapes import shown
from config.api.statements import written_anew


class AskedOfEach(Exists):
    """As Exists; where a page of rows is wanted, it is asked of one after the other.

    PostgreSQL would first list whatever there is for any row: it does not see the LIMIT from there.
    """

    def as_sql(self, compiler, connection, template=None, **extra):
        if compiler.query.is_sliced:
            template = "EXISTS(%(subquery)s OFFSET 0)"  # by which PostgreSQL lets it stand
        return super().as_sql(compiler, connection, template, **extra)


class FixedCondition(Expression):
    """A condition on a row of `model`, which `make` makes of values that no caller has given.

    Django would work out anew for each query what a subquery within it refers to. Here a query
    notes which row is meant, and the condition is made where SQL is written, which is kept.
    """

    conditional = True
    output_field = BooleanField()
    row = None  # its primary key, as the query knows it
    negated = False

    def __init__(self, model, make, *values):
        super().__init__()
        self.model, self.make, self.values = model, make, values

    @property
    def identity(self):
        """What it is compared by: also the row it is said of, and whether it is denied."""
        return *super().identity, self.negated, self.row

    def __invert__(self):
        inverse = self.copy()
        inverse.negated = not self.negated
        return inverse

    def get_source_expressions(self):
        return [self.row]

    def set_source_expressions(self, expressions):
        [self.row] = expressions

    def resolve_expression(self, query=None, *args, **kwargs):
        if self.row is not None:  # by the query that is now a part of this one
            return self
        if query.model._meta.concrete_model is not self.model:
            raise TypeError(f"{self.make.__name__} is said of {self.model}, not of {query.model}.")
        resolved = self.copy()
        resolved.row = self.model._meta.pk.get_col(query.get_initial_alias())
        return resolved

    def as_sql(self, compiler, connection):
        rows, around = Query(self.model), compiler.query
        rows.alias_prefix, rows.subq_aliases = around.alias_prefix, around.subq_aliases
        condition = Q(self.make(*self.values), _negated=self.negated)
        where = rows.build_where(condition)
        if self.row.alias != rows.base_table:
            where.relabel_aliases({rows.base_table: self.row.alias})
        with written_anew():  # no value of it has a place of its own
            return compiler.compile(where)


@shown.register(FixedCondition)
def _fixed(condition, shape):
    return condition.make, condition.values, condition.negated, shape.of(condition.row)
