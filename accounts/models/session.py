"""The models of sessions, failed sign-ins and idempotency keys."""

import uuid

from django.conf import settings
from django.contrib import admin
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models.user import User
from accounts.roles import UNVERIFIED, UserType
from config.db.querysets import ALL_ROWS, ScopedQuerySet
from config.db.text import length_checks

MAX_USER_AGENT_LENGTH = 200
MAX_IDEMPOTENCY_KEY_LENGTH = 255


class SessionQuerySet(ScopedQuerySet):
    readable_rows = {UserType.ADMIN: ALL_ROWS} | dict.fromkeys(
        [UserType.PATIENT, UserType.DOCTOR, UNVERIFIED], "user"
    )

    def live(self):
        now = timezone.now()
        live = self.filter(ended_at=None, expires_at__gt=now)
        if settings.SESSION_IDLE:
            live = live.filter(rotated_at__gt=now - settings.SESSION_IDLE)
        if settings.SESSION_ABSOLUTE:
            live = live.filter(created_at__gt=now - settings.SESSION_ABSOLUTE)
        return live

    def end(self):
        """End the sessions permanently, also expired ones; return their number."""
        return self.filter(ended_at=None).update(ended_at=timezone.now())


class Session(models.Model):
    """A sign-in. Its refresh token is valid only if it has the `jti` of this row.

    The token itself is not stored. Only `accounts.auth.sessions` changes sessions.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="sessions")
    jti = models.CharField(max_length=32)
    rotated = models.JSONField(
        default=dict,
        editable=False,
        help_text=_("jti: when it was rotated, for the last seconds."),
    )
    created_at = models.DateTimeField(default=timezone.now)
    rotated_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)  # of the sign-in, like user_agent
    user_agent = models.CharField(max_length=MAX_USER_AGENT_LENGTH, blank=True)

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        constraints = length_checks("session", user_agent=MAX_USER_AGENT_LENGTH)

    def __str__(self):
        moment = f"{self.created_at:%Y-%m-%d %H:%M}"
        return gettext("%(user)s, since %(moment)s") % {"user": self.user, "moment": moment}

    @property
    @admin.display(description=_("deadline"))
    def deadline(self):
        """The time at which the session ends unless it is refreshed."""
        ends = [self.expires_at]
        if settings.SESSION_IDLE:
            ends.append(self.rotated_at + settings.SESSION_IDLE)
        if settings.SESSION_ABSOLUTE:
            ends.append(self.created_at + settings.SESSION_ABSOLUTE)
        return min(ends)

    @property
    def is_live(self):
        """Whether `live()` would include this session."""
        return self.ended_at is None and self.deadline > timezone.now()


class LoginCounter(models.Model):
    """The recent failed sign-ins for an account, name or address (accounts.auth.lockout)."""

    key = models.CharField(max_length=64, primary_key=True)
    # Without a constraint, so that an attempt does not wait for a change of the account.
    user = models.ForeignKey(User, models.CASCADE, null=True, db_constraint=False)
    address = models.GenericIPAddressField(null=True)
    failures = models.PositiveIntegerField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-expires_at"]
        verbose_name = _("count of failed sign-ins")
        verbose_name_plural = _("failed sign-ins")

    def __str__(self):
        return str(self.user or self.address or gettext("unknown username"))


class IdempotencyKey(models.Model):
    """An Idempotency-Key of a request and its result (accounts.idempotency)."""

    user = models.ForeignKey(User, models.CASCADE, related_name="idempotency_keys", db_index=False)
    key = models.CharField(max_length=MAX_IDEMPOTENCY_KEY_LENGTH)
    fingerprint = models.CharField(max_length=64)
    made = models.JSONField(null=True)  # the result of the view's `replay_key`, usually an id
    status_code = models.PositiveSmallIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key"], name="one_use_of_a_key"),
            *length_checks("idempotency_key", key=MAX_IDEMPOTENCY_KEY_LENGTH),
        ]

    def __str__(self):
        return f"{self.user}, {self.created_at:%Y-%m-%d %H:%M}"
