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


def paginate_by_cursor(rows, cursor, *, size, salt):
    """Return the page after or before `cursor`, or the first page for an empty cursor.

    Returns None if the cursor was not signed with `salt`, or if its row is gone.
    """
    keys = _keys_of(rows)
    # The separators need no escaping in a URL.
    signer = signing.Signer(salt="|".join([salt, *(key.field.name for key in keys)]), sep=".")
    backwards, position = False, None
    if cursor:
        try:
            backwards, position = signer.unsign_object(cursor)
            rows = rows.filter(_keyset_filter(keys, _values(rows.model, keys, position), backwards))
        except (signing.BadSignature, ObjectDoesNotExist):
            return None
    found = list((rows.reverse() if backwards else rows)[: size + 1])
    has_more, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_previous, has_next = (has_more, True) if backwards else (position is not None, has_more)

    def cursor_at(row, *, backwards):
        return signer.sign_object([backwards, _position(keys, row)])

    return CursorPage(
        found,
        cursor_at(found[0], backwards=True) if found and has_previous else None,
        cursor_at(found[-1], backwards=False) if found and has_next else None,
    )


def _keys_of(rows):
    meta = rows.model._meta
    return [
        OrderKey(
            meta.pk if name.endswith("pk") else meta.get_field(name.lstrip("-")), name[0] == "-"
        )
        for name in rows.query.order_by or meta.ordering
    ]


def _position(keys, row):
    return [None if key.is_text else key.field.value_to_string(row) for key in keys]


def _values(model, keys, position):
    pk = position[-1]
    text_fields = [key.field.name for key in keys if key.is_text]
    row = model._base_manager.values(*text_fields).get(pk=pk) if text_fields else {}
    return [
        row[key.field.name] if key.is_text else key.field.to_python(text)
        for key, text in zip(keys, position, strict=True)
    ]


def _keyset_filter(keys, values, backwards):
    """Return the condition for the rows after `values` in the order of the keys."""
    condition = Q()
    for key, value in reversed(list(zip(keys, values, strict=True))):
        name, lookup = key.field.name, "lt" if key.descending != backwards else "gt"
        beyond = Q(**{f"{name}__{lookup}": value})
        condition = beyond | (Q(**{name: value}) & condition) if condition else beyond
    return Q(**{f"{name}__{lookup}e": value}) & condition  # lets the database use the index
