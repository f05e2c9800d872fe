"""Keyset pagination with `?cursor=`: it uses an index and does not count the rows.

A cursor is signed and valid for one user and one list. It contains the values that the list is
sorted by, so that a row that stays in its place is returned once, whatever is inserted meanwhile.
A cursor contains no text of a record, since URLs are logged: text is looked up by the row's id.
"""

from typing import NamedTuple

from django.core import signing
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import CharField, Q


class CursorPage(NamedTuple):
    """The rows of a page and the cursors of the previous and the next page, or None."""

    rows: list
    previous: str | None
    next: str | None


class OrderKey(NamedTuple):
    """A field that the list is sorted by. The last one is the primary key."""

    field: object
    descending: bool

    @property
    def is_text(self):
        return isinstance(self.field, CharField)


class QuerysetRows:
    """The rows of an ordered queryset, for `paginate_by_cursor`."""

    def __init__(self, queryset):
        self.queryset, self.keys = queryset, order_keys(queryset)

    def beyond(self, position, backwards, size):
        """Return at most `size` rows after the position or, backwards, the nearest before it.

        Rows found backwards are in reverse order. An empty position is the end of the list.
        """
        return list(rows_beyond(self.queryset, self.keys, position, backwards)[:size])


def paginate_by_cursor(rows, cursor, *, size, salt):
    """Return the page after or before `cursor`, or the first page for an empty cursor.

    `rows` has the interface of QuerysetRows. Returns None if the cursor was not signed with
    `salt`, or if its row is gone.
    """
    keys = rows.keys
    # The separators need no escaping in a URL.
    signer = signing.Signer(salt="|".join([salt, *(key.field.name for key in keys)]), sep=".")
    backwards, position = False, ()
    if cursor:
        try:
            backwards, signed = signer.unsign_object(cursor)
            position = _values(keys, signed)
        except (signing.BadSignature, ObjectDoesNotExist):
            return None
    found = rows.beyond(position, backwards, size + 1)
    has_more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_previous, has_next = (has_more, True) if backwards else (bool(position), has_more)

    def cursor_at(row, *, backwards):
        return signer.sign_object([backwards, _position(keys, row)])

    return CursorPage(
        found,
        cursor_at(found[0], backwards=True) if found and has_previous else None,
        cursor_at(found[-1], backwards=False) if found and has_next else None,
    )


def order_keys(rows):
    """Return the OrderKeys of an ordered queryset."""
    meta = rows.model._meta
    return [
        OrderKey(
            meta.pk if name.endswith("pk") else meta.get_field(name.lstrip("-")), name[0] == "-"
        )
        for name in rows.query.order_by or meta.ordering
    ]


def _position(keys, row):
    return [None if key.is_text else key.field.value_to_string(row) for key in keys]


def _values(keys, signed):
    model, pk = keys[-1].field.model, signed[-1]
    text_fields = [key.field.name for key in keys if key.is_text]
    row = model._base_manager.values(*text_fields).get(pk=pk) if text_fields else {}
    return [
        row[key.field.name] if key.is_text else key.field.to_python(text)
        for key, text in zip(keys, signed, strict=True)
    ]


def rows_beyond(queryset, keys, position, backwards):
    """Return the rows after the position in the order of the keys. See QuerysetRows."""
    if position:
        queryset = queryset.filter(_keyset_condition(keys, position, backwards))
    return queryset.reverse() if backwards else queryset


def _keyset_condition(keys, values, backwards):
    condition = Q()
    for key, value in reversed(list(zip(keys, values, strict=True))):
        name, lookup = key.field.name, "lt" if key.descending != backwards else "gt"
        beyond = Q(**{f"{name}__{lookup}": value})
        condition = beyond | (Q(**{name: value}) & condition) if condition else beyond
    return Q(**{f"{name}__{lookup}e": value}) & condition  # lets the database use the index
