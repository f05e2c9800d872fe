"""Querysets that are restricted to the rows a user may read or write."""

from django.db.models import Q, QuerySet

ALL_ROWS = Q()


class ScopedQuerySet(QuerySet):
    """A queryset with a table of the rows that each role may read and write.

    `owners` maps a role to the rows it may read. A value is a field path from the row to its owner,
    ALL_ROWS, or a function that takes the user and returns a Q. Such a Q may use Exists, but no
    join; the function's docstring appears in docs/access.md. `writers` is the same table for unsafe
    methods, and defaults to `owners`. A role that is missing in the table gets no rows.
    """

    owners = {}
    writers = None

    def visible_to(self, user):
        return self._rows_of(user, self.owners)

    def writable_by(self, user):
        return self._rows_of(user, self.owners if self.writers is None else self.writers)

    def _rows_of(self, user, table):
        owner = table.get(getattr(user, "role", None))
        if owner is None:
            return self.none()
        if isinstance(owner, str):
            return self.filter(**{owner: user.pk})
        return self.filter(owner(user) if callable(owner) else owner)

    def select_related_only(self, **fields_of_relations):
        """Join related rows, but load only the given fields of each relation.

        The fields of the rows themselves are all loaded.
        """
        own = [field.name for field in self.model._meta.concrete_fields]
        others = [
            f"{name}__{field}" for name, fields in fields_of_relations.items() for field in fields
        ]
        return self.select_related(*fields_of_relations).only(*own, *others)
