"""The signed tokens in links that prove an e-mail address."""

from datetime import timedelta

from django.core import signing
from django.utils.crypto import constant_time_compare, salted_hmac

from accounts.models import User

SALT = "accounts.auth.email_tokens"
LIFETIME = timedelta(days=7)


def make_token(user: User, email: str) -> str:
    """Return a token for this account and address. It does not contain the address."""
    return signing.dumps([user.pk, _digest(email)], salt=SALT)


def read_user_id(token: str) -> int | None:
    """Return the id of the token's account, or None if the token is not genuine or too old."""
    content = _read(token)
    return content[0] if content else None


def is_for(token: str, email: str) -> bool:
    """Return whether a genuine token was made for this address."""
    content = _read(token)
    if content is None or not email:
        return False
    return constant_time_compare(content[1], _digest(email))


def _read(token: str) -> list | None:
    try:
        return signing.loads(token, salt=SALT, max_age=LIFETIME)
    except signing.BadSignature:
        return None


def _digest(email: str) -> str:
    return salted_hmac(SALT, email.lower(), algorithm="sha256").hexdigest()[:32]
