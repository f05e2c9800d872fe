"""The managers of users: of the rows, and of their versions."""

import logging

from django.contrib.auth.models import UserManager as DjangoUserManager
from django.db import IntegrityError, models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from accounts.models.searchable import search_columns
from accounts.roles import UserType
from config.db.querysets import ScopedQuerySet
from config.db.transactions import atomic_with_retry

logger = logging.getLogger(__name__)


class UserManager(DjangoUserManager.from_queryset(ScopedQuerySet)):  # type: ignore[misc]  # made at run time
    def get_by_natural_key(self, username):
        """Find a user by username or e-mail address in any case; Django's sign-in uses this."""
        return self.get(Q(username__lower=username.lower()) | Q(email__lower=username.lower()))

    def fill_search_text(self):
        """Fill the search columns of rows without them.

        A release from before the columns inserts such rows while an upgrade runs. A row with a text
        from before the limits cannot be changed: it is logged.
        """
        for person in self.filter(sort_last_name=""):
            row = self.filter(pk=person.pk)
            try:
                atomic_with_retry(row.update)(**search_columns(person))
            except IntegrityError:
                logger.warning("The search text of account %d cannot be filled.", person.pk)

    def create_superuser(self, username, email=None, password=None, **fields):
        user = self.model(
            username=username,
            email=email or "",
            email_verified=bool(email),
            **fields | {"user_type": UserType.ADMIN},
        )
        user.set_password(password)
        user.full_clean(exclude=["password"])
        user.save(using=self._db)
        return user


class ProxyAwareHistory(HistoricalRecords):
    """The history of users; also records those saved as a proxy, which sends its own signals."""

    def finalize(self, sender, **kwargs):
        super().finalize(sender, **kwargs)
        if sender._meta.proxy and issubclass(sender, self.cls):
            models.signals.post_save.connect(self.post_save, sender=sender, weak=False)
            sender._meta.simple_history_manager_attribute = self.manager_name
