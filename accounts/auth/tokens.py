"""SimpleJWT's tokens with the id of their session (claim `sid`) and of their key (`kid`)."""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import jwt
from django.conf import settings
from rest_framework_simplejwt.backends import TokenBackend
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from accounts.models import User

SESSION_CLAIM = "sid"
CACHED_TOKENS = 4_000  # about 5 MB per process

# The exceptions of SimpleJWT for an `exp` beyond the range of datetime, in a genuine token.
DATE_ERRORS = (OverflowError, ValueError)


def key_id(key: str) -> str:
    """Return the id of a key for the header `kid`."""
    return hashlib.sha256(key.encode()).hexdigest()[:8]


class KeyRotatingBackend(TokenBackend):
    """Signs with the first key, and verifies with the key that the token's `kid` names.

    Only TOKEN_KEY and TOKEN_KEY_FALLBACKS are searched. A token without `kid`, from an earlier
    release, must be signed with the first key.
    """

    def __init__(self, first: str, *fallbacks: str) -> None:
        super().__init__(
            api_settings.ALGORITHM,
            first,
            audience=api_settings.AUDIENCE,
            issuer=api_settings.ISSUER,
            leeway=api_settings.LEEWAY,
        )
        prepare = jwt.get_algorithm_by_name(api_settings.ALGORITHM).prepare_key
        self.keys = {key_id(key): prepare(key) for key in (*fallbacks, first)}
        self.headers = {"kid": key_id(first)}
        self.read = lru_cache(maxsize=CACHED_TOKENS)(super().decode)

    def decode(self, token: str, verify: bool = True) -> dict[str, Any]:  # type: ignore[override]  # SimpleJWT's own type is wrong
        """Return the claims of a genuine token, from a cache after the first request.

        The token's class checks the expiry each time (`verify` of SimpleJWT's Token).
        """
        return dict(self.read(token, verify))

    def get_verifying_key(self, token: str) -> Any:  # type: ignore[override]
        kid = jwt.get_unverified_header(token).get("kid", self.headers["kid"])
        if kid not in self.keys:
            raise jwt.InvalidTokenError("The key is unknown.")
        return self.keys[kid]

    def encode(self, payload: dict[str, Any]) -> str:
        claims = payload | {"iss": self.issuer, "aud": self.audience}
        return jwt.encode(claims, self.prepared_signing_key, self.algorithm, headers=self.headers)


key_ring = lru_cache(maxsize=1)(KeyRotatingBackend)


class KeyRingMixin:
    """Signs and verifies a SimpleJWT token with TOKEN_KEY and TOKEN_KEY_FALLBACKS."""

    def get_token_backend(self) -> KeyRotatingBackend:
        return key_ring(settings.TOKEN_KEY, *settings.TOKEN_KEY_FALLBACKS)


class SessionAccessToken(KeyRingMixin, AccessToken):
    pass


class SessionRefreshToken(KeyRingMixin, RefreshToken):  # type: ignore[misc]  # of SimpleJWT
    access_token_class = SessionAccessToken


def refresh_token(session_id: UUID, user: User, *, opened_at: datetime) -> RefreshToken:
    """Return a new refresh token of a session; its `.access_token` has the same `sid`.

    It expires at the latest SESSION_ABSOLUTE after the session was opened.
    """
    token = SessionRefreshToken.for_user(user)
    token[SESSION_CLAIM] = str(session_id)
    if settings.SESSION_ABSOLUTE:
        last = opened_at + settings.SESSION_ABSOLUTE
        token["exp"] = min(token["exp"], int(last.timestamp()))
    return token


def read_refresh_token(raw: str) -> SessionRefreshToken | None:
    """Parse a refresh token; return None if it is damaged, expired, forged or of another type."""
    try:
        return SessionRefreshToken(raw)  # type: ignore[arg-type]
    except (TokenError, *DATE_ERRORS):
        return None


def expiry(token: Token) -> datetime:
    return datetime.fromtimestamp(token["exp"], UTC)


def token_pair(token: RefreshToken) -> dict[str, str]:
    return {"access": str(token.access_token), "refresh": str(token)}


def read_session_id(token: Token | None) -> UUID | None:
    """Return the session id of a token as a UUID, or None."""
    claim = token.get(SESSION_CLAIM) if token is not None else None
    try:
        return UUID(claim) if isinstance(claim, str) else None
    except ValueError:
        return None
