"""Every change of a password, with its transaction and audit entry."""

from django.contrib.auth.hashers import check_password as matches
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.utils.http import urlsafe_base64_decode
from django.utils.translation import gettext as _

from accounts import email_addresses
from accounts.audit import log as audit
from accounts.messages import outbox
from accounts.models import User
from config.db.transactions import atomic_with_retry

MAX_PASSWORD_LENGTH = 128  # limits the cost of hashing


@atomic_with_retry
def change_password(user: User, *, old_password: str, new_password: str) -> User:
    """Set a new password, which ends all sessions of the account."""
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    verify_password(user, old_password, field="old_password")
    try:
        check_is_own(user, new_password)
    except ValidationError as error:
        raise ValidationError({"new_password": error.error_list}) from error
    set_password(user, new_password, field="new_password")
    user.must_change_password = False
    user.save()
    audit.record_change("account.change_password", user, by=user, fields=["password"])
    return user


def check_is_own(user: User, password: str) -> None:
    """Raise ValidationError if it is the password that staff have set, and so know."""
    if user.must_change_password and matches(password, user.password):
        raise ValidationError(_("The clinic has set this password. Choose another one."))


def verify_password(user: User, password: str, field: str) -> None:
    if not matches(password, user.password):
        raise ValidationError({field: _("This is not the current password.")})


def set_password(user: User, password: str | None, field: str = "password") -> None:
    if password is None:
        user.set_unusable_password()
        return
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ValidationError({field: error.error_list}) from error
    user.set_password(password)


@atomic_with_retry
def request_password_reset(email: str) -> None:
    """Send a link to choose a new password, if the e-mail address has an active account.

    The account is looked up when the letter is delivered: a request for an unknown address does
    and takes the same. Beyond LETTERS_PER_RECIPIENT no further letter is sent.
    """
    if outbox.may_send("password_reset", email):
        outbox.send("password_reset", to=email)


@atomic_with_retry
def reset_password(*, uid: str, token: str, new_password: str) -> User:
    """Set a new password with the link from an e-mail, which proves the e-mail address.

    The link works once, for three days.
    """
    try:
        pk = int(urlsafe_base64_decode(uid).decode("ascii"))
    except (ValueError, OverflowError):
        pk = None
    user = User.objects.select_for_update(no_key=True).filter(pk=pk, is_active=True).first()
    if user is None or not default_token_generator.check_token(user, token):
        raise ValidationError({"token": _("This link is invalid or has expired.")})
    set_password(user, new_password, field="new_password")
    email_addresses.prove(user)
    user.must_change_password = False
    user.save()
    audit.record_change("account.reset_password", user, by=user, fields=["password"])
    return user
