"""Which rows exist for a person: said once per model, as a table."""

from django.db.models import Q, QuerySet

ALL_ROWS = Q()


def hidden_fields(model, role):
    """The names of the fields of `model` that the role never sees: its `hidden_from`."""
    return getattr(model, "hidden_from", {}).get(role, frozenset())


class ScopedQuerySet(QuerySet):
    """Rows that know whose they are.

    `owners` maps a role to the rows it reads: the path from a row to the owner, EVERYTHING, or a
    function of the user that gives a Q (with Exists, never a join) and whose docstring says whose
    rows those are (docs/access.md). `writers` does so for unsafe methods and is the same unless
    given. A role that is not named sees nothing.
    """

    owners = {}
    writers = None

    def visible_to(self, user):
        return self._of(user, self.owners)

    def writable_by(self, user):
        return self._of(user, self.owners if self.writers is None else self.writers)

    def _of(self, user, table):
        whose = table.get(getattr(user, "role", None))
        if whose is None:
            return self.none()
        if isinstance(whose, str):
            return self.filter(**{whose: user.pk})
        return self.filter(whose(user) if callable(whose) else whose)

    def select_related_only(self, **of_others):
        """The rows whole, and of related rows, joined to them, only these fields.

        An answer that says a name need not fetch the record it belongs to.
        """
        own = [field.name for field in self.model._meta.concrete_fields]
        others = [f"{name}__{field}" for name, fields in of_others.items() for field in fields]
        return self.select_related(*of_others).only(*own, *others)
