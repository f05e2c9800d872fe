"""The model of letters that wait to be delivered."""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.models.user import User
from config.db.text import length_checks

MAX_ERROR_LENGTH = 500
MAX_RECIPIENT_LENGTH = 254


class Channel(models.TextChoices):
    EMAIL = "email", _("e-mail")


class MessageStatus(models.TextChoices):
    WAITING = "waiting", _("waiting")
    SENT = "sent", _("sent")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("no longer needed")


class OutgoingMessageQuerySet(models.QuerySet):
    def due(self):
        """Messages that can be delivered now."""
        now = timezone.now()
        return self.filter(status=MessageStatus.WAITING, next_attempt_at__lte=now)

    def overdue(self, delay: timedelta):
        """Messages that nobody has tried to deliver for longer than `delay`."""
        return self.due().filter(next_attempt_at__lte=timezone.now() - delay)


class OutgoingMessage(models.Model):
    """A letter to a person. `accounts.messages.outbox` creates and delivers it.

    The text is made of `template` and `values` at the delivery: the row contains no link that
    signs anybody in, and no clinical word.
    """

    channel = models.CharField(_("channel"), max_length=10, choices=Channel, default=Channel.EMAIL)
    recipient = models.CharField(_("recipient"), max_length=MAX_RECIPIENT_LENGTH)
    user = models.ForeignKey(
        User, models.CASCADE, null=True, related_name="messages", verbose_name=_("account")
    )
    template = models.CharField(_("letter"), max_length=50)
    values = models.JSONField(default=dict)
    language = models.CharField(_("language"), max_length=10)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    due_at = models.DateTimeField(_("due"), default=timezone.now)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), default=timezone.now)
    status = models.CharField(
        _("status"), max_length=10, choices=MessageStatus, default=MessageStatus.WAITING
    )
    ended_at = models.DateTimeField(_("ended"), null=True)
    last_error = models.CharField(_("last error"), max_length=MAX_ERROR_LENGTH, blank=True)

    objects = OutgoingMessageQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-pk"]
        verbose_name = _("letter")
        verbose_name_plural = _("letters")
        constraints = length_checks("message", recipient=MAX_RECIPIENT_LENGTH)
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(status=MessageStatus.WAITING),
                name="messages_to_deliver",
            ),
            models.Index(Lower("recipient"), "created_at", name="messages_of_recipient"),
        ]

    def __str__(self):
        return gettext("Letter of %(time)s") % {"time": f"{self.created_at:%Y-%m-%d %H:%M}"}
