"""How an account is signed in to: its password, and the end of its sessions."""

from datetime import datetime

from django.contrib.auth import hashers
from django.contrib.auth.models import AbstractUser


class SignInMixin(AbstractUser):
    """A user with a password. A new password ends all sessions."""

    sessions_ended_at: datetime | None
    pending_email: str
    has_new_password = False  # whether `set_password` was called since the last `save`

    class Meta:
        abstract = True

    def check_password(self, raw_password):
        """Check the password; an upgraded hash replaces only the hash that was checked.

        Django would overwrite a password that was changed meanwhile with the old one.
        """
        return hashers.check_password(raw_password, self.password, setter=self._renew_hash)

    def _renew_hash(self, raw_password):
        renewed = hashers.make_password(raw_password)
        row = type(self)._base_manager.filter(pk=self.pk)
        if row.filter(password=self.password).update(password=renewed):
            self.password = renewed
            return
        current_hash = row.values_list("password", flat=True).get()
        if hashers.check_password(raw_password, current_hash):  # renewed by another sign-in
            self.password = current_hash

    def get_session_auth_hash(self):
        """Include `sessions_ended_at`, so that browser sessions end with the other sessions."""
        return self._until_sessions_end(super().get_session_auth_hash())

    def get_session_auth_fallback_hash(self):
        return map(self._until_sessions_end, super().get_session_auth_fallback_hash())

    def _until_sessions_end(self, auth_hash):
        ended = self.sessions_ended_at
        return f"{auth_hash}:{ended.timestamp()}" if ended else auth_hash

    def set_password(self, raw_password):
        """Set the password, and drop a new address that somebody with the old one entered.

        An account without another address goes on waiting for the proof of its first.
        """
        super().set_password(raw_password)
        self.has_new_password = True
        if self.email:
            self.pending_email = ""
