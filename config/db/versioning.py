"""Versions of records, by which a change says what it starts from: nobody overwrites unseen."""

from django.db import models

from config.errors import rule_error


class VersionedModel(models.Model):
    """A row that counts its changes. Who saves one that is there holds its lock."""

    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        abstract = True

    def save(self, *args, **kwargs):
        """Leave the next version. With `update_fields`, Django's own business, it stays."""
        if not self._state.adding and kwargs.get("update_fields") is None:
            self.version += 1
        super().save(*args, **kwargs)


def check_version(record, if_version):
    """Refuse with `stale_version` what starts from another version than the record has now.

    `if_version` is a set of versions; None where any will do. A service asks after it has locked
    the row: before that, another change may still come in between.
    """
    if if_version is not None and record.version not in if_version:
        sentence = (
            "Somebody has changed this record in the meantime. Open it again to see how, and then "
            "make your change."
        )
        raise rule_error("version", sentence, "stale_version")
