"""`filter()` by plain values in columns of the rows themselves.

Django looks behind each name for relations, transforms and annotations, and behind each value for
expressions and nulls. Where there can be none of them, what it would come to is said at once.
"""

from datetime import date
from functools import lru_cache
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist
from django.db.models import QuerySet
from django.db.models.sql.where import AND, WhereNode

SIDES_OF_KEYS = {"", "exact"}
SIDES = SIDES_OF_KEYS | {"gt", "gte", "lt", "lte"}
PLAIN = (int, str, date, UUID)  # a datetime is a date


class OwnColumnsFirst(QuerySet):
    """Whatever is not simply that is left to Django."""

    def _filter_or_exclude_inplace(self, negate, args, kwargs):
        comparisons = [(_column(self.model, name), value) for name, value in sorted(kwargs.items())]
        query = self._query
        is_plain = kwargs and all(map(_is_plain, comparisons))
        if negate or args or not is_plain or _are_others(query, kwargs):
            return super()._filter_or_exclude_inplace(negate, args, kwargs)
        alias = query.get_initial_alias()
        conditions = [
            lookup(field.get_col(alias, field), value) for (field, lookup), value in comparisons
        ]
        query.where.add(WhereNode(conditions), AND)
        query.used_aliases.add(alias)  # as Django notes it
        query._lookup_joins = [alias]
        return None


def _are_others(query, names):
    """Whether one of the names is also that of something the query works out, which comes first."""
    others = query.annotations.keys() | query._filtered_relations.keys()
    return bool(others) and any(name.partition("__")[0] in others for name in names)


def _is_plain(comparison):
    column, value = comparison
    return column is not None and isinstance(value, PLAIN) and not isinstance(value, bool)


@lru_cache(maxsize=1000)
def _column(model, name):
    """(field, class of the lookup) of `name`; None where it may mean more than a column."""
    name, _, side = name.partition("__")
    try:
        field = model._meta.pk if name == "pk" else model._meta.get_field(name)
    except FieldDoesNotExist:
        return None
    in_the_table = model._meta.concrete_model._meta.local_concrete_fields
    if field not in in_the_table or side not in (SIDES_OF_KEYS if field.is_relation else SIDES):
        return None
    if field.is_relation and field.null:  # by which Django knows that there is somebody to join
        return None
    return field, field.get_lookup(side or "exact")
