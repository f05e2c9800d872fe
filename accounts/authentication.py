"""Who is calling, in one query: the session row and its person. And who may sign in."""

from django.contrib.auth.backends import ModelBackend
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication

from accounts import lockout
from accounts.models import Session, User
from accounts.tokens import NO_DATE, read_session_id
from config.api.addresses import address_of


class SessionJWTAuthentication(JWTAuthentication):
    """An access token is good while its session lives and its person is active.

    The role is read from the row, never from the token: what an admin changes acts on the next
    request.
    """

    def get_validated_token(self, raw_token):
        try:
            return super().get_validated_token(raw_token)
        except NO_DATE as error:
            raise AuthenticationFailed("The token is invalid, expired or revoked.") from error

    def get_user(self, validated_token):
        session_id = read_session_id(validated_token)
        session = (
            Session.objects.with_person().filter(pk=session_id).first() if session_id else None
        )
        if (
            session is None
            or not session.is_live
            or not session.user.is_active
            or str(session.user_id) != str(validated_token.get("user_id"))
        ):
            raise AuthenticationFailed("The token is invalid, expired or revoked.")
        return session.user


class CountingBackend(ModelBackend):
    """Django's sign-in by password, which every door asks: the API's, the admin's, api-auth's.

    Raises a ValidationError `throttled` before any password is looked at, right or wrong, where too
    many were wrong. All else is Django's: the same work for an account, none, or a closed one.
    """

    def authenticate(self, request, username=None, password=None, **kwargs):
        name = kwargs.get(User.USERNAME_FIELD) if username is None else username
        if name is None or password is None:
            return None
        guess = lockout.guess(name, address_of(request) if request else None)
        guess.count()
        user = super().authenticate(request, username=name, password=password)
        if user is not None:
            guess.was_right()
        return user
