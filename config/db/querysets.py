"""Querysets that know which rows a role may read and write, from one table per model."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple, Self

from django.db.models import Model, Q, QuerySet
from django.utils import timezone

ALL_ROWS = Q()


def hidden_fields(model: type[Model], role: str | None) -> frozenset[str]:
    """Return the names of the fields that the role never sees, from the model's `hidden_from`."""
    return getattr(model, "hidden_from", {}).get(role, frozenset())


def fields_hidden_from_some(model: type[Model]) -> frozenset[str]:
    """Return the names of the fields that at least one role never sees."""
    return frozenset().union(*getattr(model, "hidden_from", {}).values())


class Viewer(NamedTuple):
    """The facts about a user on which visibility depends."""

    pk: int | None
    role: str | None  # None without sign-in
    now: datetime | None = None  # for rows that are visible for a time

    @classmethod
    def of(cls, user: Any) -> "Viewer":
        """Return the viewer of a user; a Viewer is returned as it is."""
        if isinstance(user, cls):
            return user
        return cls(getattr(user, "pk", None), getattr(user, "role", None), timezone.now())


Scope = str | Q | Callable[[Viewer], Q]


class ScopedQuerySet(QuerySet):
    """Rows with a visibility table.

    `readable_rows` maps a role to the rows that the role reads: the path from a row to its owner,
    ALL_ROWS, or a function of the Viewer that returns a Q (with Exists, never a join). The
    docstring of such a function names the rows in docs/access.md. `writable_rows` does the same for
    unsafe methods and equals `readable_rows` unless given. A role that is not named sees nothing.
    """

    readable_rows: Mapping[str, Scope] = {}
    writable_rows: Mapping[str, Scope] | None = None

    def visible_to(self, user: object) -> Self:
        return self._rows_of(user, self.readable_rows)

    def writable_by(self, user: object) -> Self:
        return self._rows_of(
            user, self.readable_rows if self.writable_rows is None else self.writable_rows
        )

    def _rows_of(self, user: object, table: Mapping[str, Scope]) -> Self:
        viewer = Viewer.of(user)
        scope = table.get(viewer.role or "")
        if scope is None:
            return self.none()
        if isinstance(scope, str):
            return self.filter(**{scope: viewer.pk})
        return self.filter(scope(viewer) if callable(scope) else scope)

    def select_related_only(self, **fields_of_relations: Iterable[str]) -> Self:
        """Join related rows, but load only the given fields of each relation.

        The fields of the rows themselves are all loaded.
        """
        own = [field.name for field in self.model._meta.concrete_fields]
        others = [
            f"{relation}__{field}"
            for relation, fields in fields_of_relations.items()
            for field in fields
        ]
        return self.select_related(*fields_of_relations).only(*own, *others)
