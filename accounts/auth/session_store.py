"""The browser sessions (SESSION_ENGINE) of the admin and the browsable API.

SESSION_IDLE and SESSION_ABSOLUTE limit them like the sessions of tokens (accounts.models.Session).
The limits are checked when a session is loaded.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in
from django.contrib.sessions.backends import db
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

SIGNED_IN, USED = "signed_in_at", "used_at"  # seconds since 1970
LAST_USED_RESOLUTION = 60  # seconds, so that not every request writes a row


class SessionStore(db.SessionStore):
    def __init__(self, session_key: str | None = None) -> None:
        """A cookie may hold any character; PostgreSQL refuses a query for a key with a NUL."""
        if session_key and not (session_key.isascii() and session_key.isalnum()):
            session_key = None
        super().__init__(session_key)

    def load(self) -> dict[str, Any]:
        session = super().load()
        if SESSION_KEY not in session or not (settings.SESSION_IDLE or settings.SESSION_ABSOLUTE):
            return session
        now = timezone.now().timestamp()
        idle_seconds = now - session.get(USED, 0)
        if _is_over(idle_seconds, settings.SESSION_IDLE) or _is_over(
            now - session.get(SIGNED_IN, 0), settings.SESSION_ABSOLUTE
        ):
            self.flush()
            return {}
        if settings.SESSION_IDLE and idle_seconds >= LAST_USED_RESOLUTION:
            session[USED] = now
            self.modified = True
        return session


def _is_over(seconds: float, limit: timedelta | None) -> bool:
    return limit is not None and bool(limit) and seconds >= limit.total_seconds()


@receiver(user_logged_in)
def stamp_login_times(sender: object, request: HttpRequest, **kwargs: Any) -> None:
    request.session[SIGNED_IN] = request.session[USED] = timezone.now().timestamp()
