"""Rows of the database become records."""

from django.db.models.base import ModelState


class FromRow:
    """A model whose records are filled from a row directly.

    Django would call `__init__` for each, which sets attribute by attribute and sends two signals
    that nobody here listens to. Put before the other bases.
    """

    @classmethod
    def from_db(cls, db, field_names, values):
        record = cls.__new__(cls)
        record.__dict__.update(zip(field_names, values, strict=True))
        record._state = ModelState()
        record._state.adding = False
        record._state.db = db
        return record
