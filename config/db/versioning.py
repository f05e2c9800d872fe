"""Optimistic locking: records with a version number, which If-Match refers to."""

from collections.abc import Set as AbstractSet
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

from config.errors import rule_error


class VersionedModel(models.Model):
    """A model that counts its changes. Lock an existing row before you save it."""

    version = models.PositiveIntegerField(default=1, db_default=1, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Increase the version, unless `update_fields` is given, which Django uses internally."""
        if not self._state.adding and kwargs.get("update_fields") is None:
            self.version += 1
        super().save(*args, **kwargs)


def check_version(record: VersionedModel, if_version: AbstractSet[int] | None) -> None:
    """Raise `stale_version` if the record's version is not one of the set `if_version`.

    None allows any version. A service calls this after it has locked the row; before that, another
    change could still be committed.
    """
    if if_version is not None and record.version not in if_version:
        raise stale_version()


def stale_version() -> ValidationError:
    sentence = _(
        "Somebody else has changed this record in the meantime. Open it again to see the "
        "changes, then make yours."
    )
    return rule_error("version", sentence, "stale_version")
