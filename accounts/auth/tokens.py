"""SimpleJWT's tokens, each bound to a session row (claim `sid`) and to the key that signed it."""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

import jwt
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

SESSION_CLAIM = "sid"
MAX_TOKEN_LENGTH = 4_000  # tokens that a process knows again, some 5 MB

# What SimpleJWT raises for an `exp` beyond the calendar, in a token signed with our own key.
DATE_ERRORS = (OverflowError, ValueError)


def key_id(key):
    """The name a key goes by in the header of its tokens (`kid`)."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


class KeyRotatingBackend(TokenBackend):
    """Signs with TOKEN_KEY; verifies with the key of the ring that the token names.

    The name is looked up among our own keys and nowhere else. A token without one is from before
    keys had names, and the first key must have signed it.
    """

    def __init__(self, first, *fallbacks):
        super().__init__(
            api_settings.ALGORITHM, first, issuer=api_settings.ISSUER, leeway=api_settings.LEEWAY
        )
        prepare = jwt.get_algorithm_by_name(api_settings.ALGORITHM).prepare_key
        self.keys = {key_id(key): prepare(key) for key in (*fallbacks, first)}
        self.headers = {"kid": key_id(first)}
        self.read = lru_cache(maxsize=MAX_TOKEN_LENGTH)(super().decode)

    def decode(self, token, verify=True):
        """The claims of a token that a key of ours signed and that names us as its issuer.

        An access token comes with every request and is taken apart for the first. What may change,
        whether it has expired, its class asks each time (`verify` of SimpleJWT's Token).
        """
        return dict(self.read(token, verify))

    def get_verifying_key(self, token):
        kid = jwt.get_unverified_header(token).get("kid", self.headers["kid"])
        if kid not in self.keys:
            raise jwt.InvalidTokenError("No key of ours has this name.")
        return self.keys[kid]

    def encode(self, payload):
        claims = payload | {"iss": self.issuer}
        return jwt.encode(claims, self.prepared_signing_key, self.algorithm, headers=self.headers)


key_ring = lru_cache(maxsize=1)(KeyRotatingBackend)


class KeyRingMixin:
    """A token of SimpleJWT's that is signed and verified with the clinic's key ring."""

    def get_token_backend(self):
        return key_ring(settings.TOKEN_KEY, *settings.TOKEN_KEY_FALLBACKS)


class SessionAccessToken(KeyRingMixin, AccessToken):
    pass


class SessionRefreshToken(KeyRingMixin, RefreshToken):
    access_token_class = SessionAccessToken


def refresh_token(session_id, user, *, opened_at):
    """A new refresh token of a session; its `.access_token` carries the same session.

    No later than SESSION_ABSOLUTE after the session was opened, it is worth nothing.
    """
    token = SessionRefreshToken.for_user(user)
    token[SESSION_CLAIM] = str(session_id)
    if settings.SESSION_ABSOLUTE:
        last = opened_at + settings.SESSION_ABSOLUTE
        token["exp"] = min(token["exp"], int(last.timestamp()))
    return token


def read_refresh_token(raw):
    """The token `raw` spells, or None where it is damaged, expired, foreign or of another kind."""
    try:
        return SessionRefreshToken(raw)
    except (TokenError, *DATE_ERRORS):
        return None


def expiry(token):
    return datetime.fromtimestamp(token["exp"], UTC)


def token_pair(token):
    return {"access": str(token.access_token), "refresh": str(token)}


def read_session_id(token):
    """The session a token names, as a UUID; None where it names none."""
    claim = token.get(SESSION_CLAIM) if token is not None else None
    try:
        return UUID(claim) if isinstance(claim, str) else None
    except ValueError:
        return None
