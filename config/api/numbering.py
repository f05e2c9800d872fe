"""DRF's fields are numbered beside their class, not on it.

DRF numbers every field and serializer that is made, to know in which order a class declared its
own, and counts on the class `Field`. With each write to a class Python forgets what it has learnt
about it and all its subclasses: every request had it begin anew with all fields and serializers,
which took a tenth of the time of a list.
"""

from types import FunctionType

from rest_framework.fields import Field


class Numbers:
    """Stands for `Field` in its own `__init__`, which counts by it and compares with it."""

    def __init__(self, first):
        self._creation_counter = first

    def __eq__(self, other):
        return other is Field

    __hash__ = None


def number_aside():
    """Have DRF's `Field.__init__` run as it is written, but count by `Numbers`."""
    init = Field.__init__
    names = init.__globals__ | {"Field": Numbers(Field._creation_counter)}
    aside = FunctionType(init.__code__, names, init.__name__, init.__defaults__, init.__closure__)
    aside.__kwdefaults__ = init.__kwdefaults__
    Field.__init__ = aside
