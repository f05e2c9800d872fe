"""Finds the caller of a request: one query for the session row and its user."""

from uuid import UUID

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.tokens import Token

from accounts.auth.tokens import DATE_ERRORS, read_session_id
from accounts.models import Session, User
from config.db.prepared import PreparedQuery, record_of

# The session's fields that decide whether the session is live, in the model's order.
SESSION_FIELDS = ["id", "user_id", "created_at", "rotated_at", "expires_at", "ended_at"]
USER_FIELDS = [field.attname for field in User._meta.concrete_fields]

SESSION_QUERY = PreparedQuery(
    lambda pk: Session.objects.filter(pk=pk).order_by(),
    columns=[*SESSION_FIELDS, *(f"user__{name}" for name in USER_FIELDS)],
)
session_of = record_of(Session, SESSION_FIELDS, user=(User, None))


def find_session(session_id: UUID) -> Session | None:
    """Return the session with its user, or None; fields that `is_live` ignores are deferred."""
    rows = SESSION_QUERY.rows(session_id)
    return session_of(rows[0]) if rows else None


class SessionJWTAuthentication(JWTAuthentication):
    """Accepts an access token while its session is live and its user is active.

    The role is read from the user's row, never from the token, so that a change by an admin takes
    effect on the next request.
    """

    def get_validated_token(self, raw_token: bytes) -> Token:
        try:
            return super().get_validated_token(raw_token)
        except DATE_ERRORS as error:
            raise AuthenticationFailed(_("The token is invalid, expired or revoked.")) from error

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]  # generic in SimpleJWT
        session_id = read_session_id(validated_token)
        session = find_session(session_id) if session_id else None
        if (
            session is None
            or not session.is_live
            or not session.user.is_active
            or str(session.user_id) != str(validated_token.get("user_id"))
        ):
            raise AuthenticationFailed(_("The token is invalid, expired or revoked."))
        return session.user
