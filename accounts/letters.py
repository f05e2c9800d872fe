"""The letters about accounts. See accounts.messages.templates."""

from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.auth import email_tokens
from accounts.messages.templates import Letter, Template, letter
from accounts.models import OutgoingMessage, User


def invitation(message: OutgoingMessage) -> Letter | None:
    user = _active(message.user)
    if user is None or not _is_same(user.email, message.recipient):
        return None
    return letter(
        user.email,
        _("Your account at the clinic"),
        _("The clinic has opened an account for you. Choose your password here:"),
        _password_link(user),
    )


def password_reset(message: OutgoingMessage) -> Letter | None:
    """The recipient is an address that somebody entered: the letter goes to the account's own."""
    user = User.objects.filter(email__lower=message.recipient.lower(), is_active=True).first()
    if user is None:
        return None
    return letter(
        user.email,
        _("Choose a new password"),
        _(
            "Somebody asked for a new password for your account. If it was not you, ignore "
            "this e-mail. Otherwise, choose the password here:"
        ),
        _password_link(user),
    )


def verify_email(message: OutgoingMessage) -> Letter | None:
    user = _active(message.user)
    if user is None or not _is_same(user.unproven_email, message.recipient):
        return None
    token = email_tokens.make_token(user, user.unproven_email)
    return letter(
        user.unproven_email,
        _("Confirm your e-mail address"),
        _(
            "This address was entered for an account at the clinic. If it was not you, ignore "
            "this e-mail. Otherwise, confirm the address here:"
        ),
        f"{settings.FRONTEND_URL}/verify-email?token={token}",
    )


def email_changed(message: OutgoingMessage) -> Letter | None:
    """The recipient is the former address."""
    return letter(
        message.recipient,
        _("Your e-mail address was changed"),
        _(
            "The account at the clinic that had this e-mail address has another one now. If "
            "you did not want that, please call the clinic."
        ),
    )


LETTERS = {
    "invitation": Template(gettext_lazy("Invitation"), invitation),
    "password_reset": Template(gettext_lazy("New password"), password_reset),
    "verify_email": Template(gettext_lazy("Confirmation of an address"), verify_email),
    "email_changed": Template(gettext_lazy("Changed address"), email_changed),
}


def _active(user: User | None) -> User | None:
    return user if user is not None and user.is_active else None


def _is_same(email: str, recipient: str) -> bool:
    return email.lower() == recipient.lower()


def _password_link(user: User) -> str:
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    token = default_token_generator.make_token(user)
    return f"{settings.FRONTEND_URL}/reset-password?uid={uid}&token={token}"
