"""Django's authentication backend with a lockout after failed sign-ins."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from accounts.auth import lockout
from accounts.models import User
from config.context import client_ip


class LockoutModelBackend(ModelBackend):
    """Checks passwords for the API, the admin and the browsable API, and counts failed sign-ins.

    Raises a ValidationError with the code `throttled`, before it checks the password, if there were
    too many failures. Otherwise it behaves like ModelBackend, with the same response time for an
    unknown, inactive or active account.
    """

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **kwargs: Any,
    ) -> User | None:
        name = kwargs.get(User.USERNAME_FIELD) if username is None else username
        if name is None or password is None:
            return None
        attempt = lockout.attempt_for(name, client_ip(request) if request else None)
        attempt.consume()
        user = super().authenticate(request, username=name, password=password)
        if user is not None:
            attempt.succeeded()
        return user
