"""`?cursor=`: the next rows after a place in a list, found by an index and without counting.

A cursor is signed, for one reader of one list. It holds the place itself, not a number of rows:
whatever is added or moved meanwhile, a row that stays where it is comes once. Words of a record, by
which people are sorted, are looked up by their row's id: nothing of them stands in an address.
"""

from typing import NamedTuple

from django.core import signing
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import CharField, Q


class CursorPage(NamedTuple):
    """A page, and the cursors of its neighbours; None where there is none."""

    rows: list
    previous: str | None
    next: str | None


class OrderKey(NamedTuple):
    """One of the fields that a list is sorted by; the last is its primary key."""

    field: object
    descending: bool

    @property
    def is_text(self):
        return isinstance(self.field, CharField)


def paginate_by_cursor(rows, cursor, *, size, salt):
    """The page after `cursor`, or before it; the first one for "". None for one not of `salt`."""
    keys = _keys_of(rows)
    # Put together of what stands in an address as it is.
    signer = signing.Signer(salt="|".join([salt, *(key.field.name for key in keys)]), sep=".")
    backwards, place = False, None
    if cursor:
        try:
            backwards, place = signer.unsign_object(cursor)
            rows = rows.filter(_keyset_filter(keys, _values(rows.model, keys, place), backwards))
        except (signing.BadSignature, ObjectDoesNotExist):
            return None
    found = list((rows.reverse() if backwards else rows)[: size + 1])
    goes_on, found = len(found) > size, found[:size]
    if backwards:
        found.reverse()
    has_previous, has_next = (goes_on, True) if backwards else (place is not None, goes_on)

    def at(row, *, backwards):
        return signer.sign_object([backwards, _position(keys, row)])

    return CursorPage(
        found,
        at(found[0], backwards=True) if found and has_previous else None,
        at(found[-1], backwards=False) if found and has_next else None,
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


def _values(model, keys, place):
    *_, pk = place
    words = [key.field.name for key in keys if key.is_text]
    row = model._base_manager.values(*words).get(pk=pk) if words else {}
    return [
        row[key.field.name] if key.is_text else key.field.to_python(text)
        for key, text in zip(keys, place, strict=True)
    ]


def _keyset_filter(keys, values, backwards):
    """What comes after those values in the order of the keys."""
    condition = None
    for key, value in reversed(list(zip(keys, values, strict=True))):
        name, side = key.field.name, "lt" if key.descending != backwards else "gt"
        further = Q(**{f"{name}__{side}": value})
        condition = further if condition is None else further | (Q(**{name: value}) & condition)
    return Q(**{f"{name}__{side}e": value}) & condition  # the first key again, for the index
