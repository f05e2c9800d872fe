"""The outbox: every letter is a row that is written in the transaction of its change.

`manage.py work` delivers the rows. The process that wrote a row tries first, after the commit
(WEB_DELIVERS_LETTERS). Each delivery takes a lease on its row, so that a killed process delays a
letter and loses none. A process that is killed between the delivery and its note sends one letter
twice.
"""

import logging
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import timedelta

from django.conf import settings
from django.db import Error, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import get_language, override

from accounts.audit import log as audit
from accounts.messages.channels import CHANNELS
from accounts.messages.templates import templates
from accounts.models import MessageStatus, OutgoingMessage, User
from accounts.models.message import MAX_ERROR_LENGTH
from config.db.transactions import atomic_with_retry

LEASE = timedelta(minutes=3)  # longer than a delivery: EMAIL_TIMEOUT limits each of its steps
FIRST_DELAY, LONGEST_DELAY = timedelta(minutes=1), timedelta(hours=1)  # between two attempts
GIVE_UP_AFTER = timedelta(days=1)
WEB_BATCH = 20  # letters that a web process delivers after a commit
KEPT_FOR = {
    MessageStatus.SENT: timedelta(days=30),
    MessageStatus.FAILED: timedelta(days=30),
    MessageStatus.CANCELLED: timedelta(days=1),
}

logger = logging.getLogger(__name__)

_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="letters")


def send(template: str, *, to: str, user: User | None = None, **values: int) -> None:
    """Write a letter, in the language that is active now.

    `user` is the account that the letter is about; `values` are ids that its text needs. Call this
    in the transaction of the change.
    """
    OutgoingMessage.objects.create(
        recipient=to,
        user=user,
        template=template,
        values=values,
        language=get_language() or settings.LANGUAGE_CODE,
    )
    if settings.WEB_DELIVERS_LETTERS:
        context = copy_context()  # keeps the request id for the log
        transaction.on_commit(lambda: _executor.submit(context.run, _deliver_after_commit))


def may_send(template: str, to: str) -> bool:
    """Return whether a letter that anybody can request is within LETTERS_PER_RECIPIENT.

    Each kind of letter has its own count, so that one kind cannot keep another one back.
    """
    an_hour_ago = timezone.now() - timedelta(hours=1)
    sent = OutgoingMessage.objects.filter(
        recipient__lower=to.lower(), created_at__gt=an_hour_ago, template=template
    ).count()
    return not settings.LETTERS_PER_RECIPIENT or sent < settings.LETTERS_PER_RECIPIENT


def deliver_next() -> bool:
    """Deliver the letter that has waited longest; return False if no letter is due."""
    message = _lease_next()
    if message is None:
        return False
    try:
        with override(message.language):
            letter = templates()[message.template].make(message)
            if letter is not None:
                CHANNELS[message.channel](letter)
    except Exception as error:
        # Whatever is wrong with this letter, the others are delivered.
        logger.exception("A letter could not be delivered")
        _postpone(message, error)
    else:
        _end(message, MessageStatus.CANCELLED if letter is None else MessageStatus.SENT)
    return True


@atomic_with_retry
def send_again(message: OutgoingMessage) -> None:
    """Let a failed letter be delivered once more; does nothing to any other."""
    now = timezone.now()
    failed = OutgoingMessage.objects.filter(pk=message.pk, status=MessageStatus.FAILED)
    if failed.update(
        status=MessageStatus.WAITING, attempts=0, due_at=now, next_attempt_at=now, ended_at=None
    ):
        audit.record_change("letter.send_again", message, fields=["status"])


def delete_for(user: User) -> None:
    """Delete the letters about an account and to its present and former addresses."""
    user.messages.all().delete()
    former = User.history.filter(id=user.pk).values_list("email", "pending_email")
    addresses = {one.lower() for pair in former for one in pair if one}
    addresses |= {one.lower() for one in (user.email, user.pending_email) if one}
    OutgoingMessage.objects.filter(recipient__lower__in=addresses).delete()


def prune() -> int:
    """Delete letters that ended long ago (KEPT_FOR); return their number."""
    now = timezone.now()
    return sum(
        OutgoingMessage.objects.filter(status=status, ended_at__lt=now - age).delete()[0]
        for status, age in KEPT_FOR.items()
    )


def _lease_next() -> OutgoingMessage | None:
    """Return the next letter; until the lease ends, no other process takes the letter."""
    is_due = OutgoingMessage.objects.due().exists()  # on SQLite the transaction blocks writers
    return _lease() if is_due else None


@atomic_with_retry
def _lease() -> OutgoingMessage | None:
    due = OutgoingMessage.objects.due().select_for_update(skip_locked=True, of=("self",))
    message = due.order_by("next_attempt_at", "pk").first()
    if message is not None:
        message.attempts += 1
        message.next_attempt_at = timezone.now() + LEASE
        message.save(update_fields=["attempts", "next_attempt_at"])
    return message


def _postpone(message: OutgoingMessage, error: Exception) -> None:
    """Plan the next attempt, or give up a day after the letter was due."""
    now = timezone.now()
    changes: dict[str, object] = {"last_error": _describe(error)}
    if now >= message.due_at + GIVE_UP_AFTER:
        changes |= {"status": MessageStatus.FAILED, "ended_at": now}
    else:
        changes["next_attempt_at"] = now + _delay(message.attempts)
    _leased(message).update(**changes)


def _end(message: OutgoingMessage, status: MessageStatus) -> None:
    _leased(message).update(status=status, ended_at=timezone.now(), last_error="")


def _leased(message: OutgoingMessage) -> QuerySet[OutgoingMessage]:
    """The row, unless another process has taken the letter after the end of the lease."""
    return OutgoingMessage.objects.filter(
        pk=message.pk, status=MessageStatus.WAITING, attempts=message.attempts
    )


def _delay(attempts: int) -> timedelta:
    return min(FIRST_DELAY * 2 ** min(attempts - 1, 10), LONGEST_DELAY)


def _describe(error: Exception) -> str:
    text = "".join(filter(str.isprintable, f"{type(error).__name__}: {error}"))
    return text[:MAX_ERROR_LENGTH]


def _deliver_after_commit() -> None:
    """Deliver what is due, in the thread of a web process; a worker delivers what is left."""
    try:
        for _ in range(WEB_BATCH):
            if not deliver_next():
                break
    except Error:
        logger.exception("The outbox could not be read")
    finally:
        connection.close()
