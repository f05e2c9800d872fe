"""Django's authentication backend, with failed sign-ins counted."""

from django.contrib.auth.backends import ModelBackend

from accounts.auth import lockout
from accounts.models import User
from config.context import client_ip


class LockoutModelBackend(ModelBackend):
    """Django's sign-in by password, which every door asks: the API's, the admin's, api-auth's.

    Raises a ValidationError `throttled` before any password is looked at, right or wrong, where too
    many were wrong. All else is Django's: the same work for an account, none, or a closed one.
    """

    def authenticate(self, request, username=None, password=None, **kwargs):
        name = kwargs.get(User.USERNAME_FIELD) if username is None else username
        if name is None or password is None:
            return None
        guess = lockout.attempt_for(name, client_ip(request) if request else None)
        guess.consume()
        user = super().authenticate(request, username=name, password=password)
        if user is not None:
            guess.succeeded()
        return user
