"""The sessions of browsers (SESSION_ENGINE), for the admin and the browsable API."""

from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """A cookie may hold any character, NUL too, which PostgreSQL refuses to be asked for."""

    def _validate_session_key(self, key):
        return super()._validate_session_key(key) and key.isascii() and key.isalnum()
