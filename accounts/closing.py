"""Rules of closed accounts: one admin stays open, pictures go, anonymised ones never change."""

from functools import partial

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.roles import UserType
from config.errors import rule_error

CLOSING_FIELDS = frozenset({"is_active", "user_type"})  # by which an account stops being an admin's


def lock_admins() -> None:
    """Lock all active admins, by id, before the account that changes.

    Two admins who deactivate each other would otherwise each see the other one remain.
    """
    list(_active_admins().select_for_update(no_key=True).order_by("pk"))


def is_active_admin(user: User) -> bool:
    return user.is_active and user.user_type == UserType.ADMIN


def check_admin_remains(user: User) -> None:
    """Raise `last_admin` if no other admin is active. The caller holds the locks of lock_admins().

    The check is a statement of its own after the locks, so that it sees what another transaction
    committed while this one waited.
    """
    if not _active_admins().exclude(pk=user.pk).exists():
        field = "user_type" if user.is_active else "is_active"
        sentence = _("This is the last active administrator. Give another account that role first.")
        raise rule_error(field, sentence, "last_admin")


def _active_admins() -> QuerySet[User]:
    return User.objects.filter(user_type=UserType.ADMIN, is_active=True)


def check_open(user: User, field: str) -> None:
    """Raise a ValidationError for `field` if the account is closed."""
    if not user.is_active:
        raise ValidationError({field: _("This account is closed.")})


def remove_picture(user: User) -> None:
    """Empty the picture, which the caller saves; delete its files of all versions after the commit.

    Pictures are public to whoever knows their address. A reopened account has no picture.
    """
    storage = user.avatar.storage
    earlier = User.history.filter(id=user.pk).values_list("avatar", flat=True)
    for name in {user.avatar.name, *earlier} - {None, ""}:
        transaction.on_commit(partial(storage.delete, name))
    if user.avatar:
        user.avatar = ""


def is_anonymised(user: User) -> bool:
    return user.username == anonymous_username(user.pk)


def check_not_anonymised(user: User) -> None:
    if is_anonymised(user):
        sentence = _("This record is anonymised. It cannot be changed any more.")
        raise rule_error("is_active", sentence, "record_anonymised")


def anonymous_username(pk: int) -> str:
    """Return a username that nobody can choose, because it contains a space."""
    return f"anonymised {pk}"
