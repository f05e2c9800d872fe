"""Who is calling, in one query: the session row and its person. And who may sign in."""

from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts.auth.tokens import DATE_ERRORS, read_session_id
from accounts.models import Session


class SessionJWTAuthentication(JWTAuthentication):
    """An access token is good while its session lives and its person is active.

    The role is read from the row, never from the token: what an admin changes acts on the next
    request.
    """

    def get_validated_token(self, raw_token):
        try:
            return super().get_validated_token(raw_token)
        except DATE_ERRORS as error:
            raise AuthenticationFailed("The token is invalid, expired or revoked.") from error

    def get_user(self, validated_token):
        session_id = read_session_id(validated_token)
        session = Session.objects.with_user().filter(pk=session_id).first() if session_id else None
        if (
            session is None
            or not session.is_live
            or not session.user.is_active
            or str(session.user_id) != str(validated_token.get("user_id"))
        ):
            raise AuthenticationFailed("The token is invalid, expired or revoked.")
        return session.user
