"""Who has an e-mail address: addresses are proven by a link, and an unproven one blocks nobody."""

import logging
import secrets
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.audit import log as audit
from accounts.auth import email_tokens
from accounts.messages import outbox
from accounts.models import User
from accounts.roles import UserType
from config.db.transactions import atomic_with_retry
from config.errors import rule_error

logger = logging.getLogger(__name__)

UNPROVEN_FOR = timedelta(days=7)  # after that, `release_unproven` frees an address


def generated_username(user_type: str) -> str:
    return f"{user_type}-{secrets.token_hex(4)}"


def username_from(email: str, user_type: str) -> str:
    """Return the address, or a random name where it is empty or not a valid username."""
    try:
        return User._meta.get_field("username").clean(email, None)
    except ValidationError:
        return generated_username(user_type)


def wait_for_proof(user: User) -> None:
    """Let a new account wait for its address, if another account has the address unproven.

    The account has no address until then, and so no username with an @ either. Both accounts may
    claim the address; the one that follows the link gets it.
    """
    if user.email and _others(user, user.email, proven=False).exists():
        user.pending_email, user.email = user.email, ""
        if "@" in user.username:
            user.username = generated_username(user.user_type)


def take_over(user: User, email: str) -> None:
    """Free an address for `user` if another account has it unproven.

    Raises ValidationError if that is an admin's account, which strangers cannot register: without
    the address, the admin might not be able to sign in.
    """
    for other in _others(user, email, proven=False).select_for_update(no_key=True):
        if other.user_type == UserType.ADMIN:
            raise ValidationError({"email": ValidationError(user.taken("email"), code="unique")})
        _release(other)


def check_available(user: User, email: str) -> None:
    """Raise ValidationError if another account has proven the address."""
    if _others(user, email, proven=True).exists():
        raise ValidationError({"email": ValidationError(user.taken("email"), code="unique")})


def request_proof(user: User) -> None:
    """Send the link that proves the address, unless it has been sent often within an hour."""
    if user.unproven_email and outbox.may_send("verify_email", user.unproven_email):
        outbox.send("verify_email", to=user.unproven_email, user=user)


@atomic_with_retry
def resend(user: User) -> None:
    """Send the link once more; raises `throttled` beyond LETTERS_PER_RECIPIENT."""
    user = User.objects.select_for_update(no_key=True).get(pk=user.pk)
    if user.unproven_email and not outbox.may_send("verify_email", user.unproven_email):
        sentence = _("Several e-mails have been sent to this address. Try again in an hour.")
        raise rule_error("email", sentence, "throttled", wait=3600)
    request_proof(user)


@atomic_with_retry
def verify(token: str) -> User:
    """Prove an address with the link that was sent to it.

    A pending address replaces the former one, which is told. Another account that had the address
    unproven loses it.
    """
    pk = email_tokens.read_user_id(token)
    user = User.objects.select_for_update(no_key=True).filter(pk=pk, is_active=True).first()
    if user is not None and email_tokens.is_for(token, user.pending_email):
        _replace_address(user)
    elif user is None or not email_tokens.is_for(token, user.email):
        raise ValidationError({"token": _("This link is invalid or has expired.")})
    if not user.email_verified:
        prove(user)
        user.save()
        audit.record_change("account.verify_email", user, by=user, fields=["email_verified"])
    return user


def prove(user: User) -> None:
    """Note that the owner of the account reads the mail of its address."""
    user.email_verified, user.email_lost_at = True, None


def _replace_address(user: User) -> None:
    new = user.pending_email
    if _others(user, new, proven=True).exists():
        raise ValidationError({"token": _("This e-mail address has another account already.")})
    take_over(user, new)
    if user.email and user.email_verified:
        outbox.send("email_changed", to=user.email, user=user)
    if user.email and user.username.lower() == user.email.lower():
        user.username = username_from(new, user.user_type)
    user.email, user.pending_email, user.email_verified = new, "", False
    user.email_set_at = timezone.now()


def release_unproven() -> int:
    """Free the addresses that nobody has proven for UNPROVEN_FOR; return their number.

    An account keeps the address that it signs in with: without the address, its owner could not
    come back. Each account has a transaction of its own; one that cannot be saved is logged.
    """
    released = 0
    for pk in _unproven().values_list("pk", flat=True):
        try:
            released += _release_unproven_address(pk)
        except IntegrityError as error:  # such as a text from before the limits
            logger.error("The address of account %d cannot be freed: %s", pk, type(error).__name__)  # noqa: TRY400
    return released


def _unproven() -> QuerySet[User]:
    since = timezone.now() - UNPROVEN_FOR
    return User.objects.filter(email_verified=False, email_set_at__lt=since).exclude(email="")


@atomic_with_retry
def _release_unproven_address(pk: int) -> bool:
    user = _unproven().select_for_update(no_key=True).filter(pk=pk).first()
    if user is None or ("@" in user.username and user.last_login):
        return False
    _release(user)
    return True


def _others(user: User, email: str, *, proven: bool) -> QuerySet[User]:
    holders = User.objects.filter(email__lower=email.lower(), email_verified=proven)
    return holders.exclude(email="").exclude(pk=user.pk)


def _release(user: User) -> None:
    """Take the address from an account; the clinic can still write to a patient without sign-in."""
    if not user.has_usable_password():
        user.contact_email = user.contact_email or user.email
    if "@" in user.username:
        user.username = generated_username(user.user_type)
    user.email, user.email_verified, user.email_lost_at = "", False, timezone.now()
    user.save()
    audit.record_change("account.lose_email", user, fields=["email", "username"])
