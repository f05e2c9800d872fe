"""SimpleJWT's tokens, each bound to a session row (claim `sid`)."""

from datetime import UTC, datetime

from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

SESSION_CLAIM = "sid"

# What SimpleJWT raises for an `exp` beyond the calendar, in a token signed with our own key.
NO_DATE = (OverflowError, ValueError)


def refresh_token(session_id, user):
    """A new refresh token of a session; its `.access_token` carries the same session."""
    token = RefreshToken.for_user(user)
    token[SESSION_CLAIM] = str(session_id)
    return token


def read_refresh_token(raw):
    """The token `raw` spells, or None where it is damaged, expired, foreign or of another kind."""
    try:
        return RefreshToken(raw)
    except (TokenError, *NO_DATE):
        return None


def expiry(token):
    return datetime.fromtimestamp(token["exp"], UTC)


def as_pair(token):
    return {"access": str(token.access_token), "refresh": str(token)}
