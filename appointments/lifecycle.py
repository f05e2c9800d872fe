"""The life of an appointment, as a table. Read by services, permissions, serializers and tests."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from django.db.models import TextChoices

from accounts.roles import CLINICIANS, EVERYONE, UserType


class Status(TextChoices):
    SCHEDULED = "scheduled"
    CONFIRMED = "confirmed"
    IN_PROGRESS = "in_progress", "In progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    NO_SHOW = "no_show", "No-show"


class ConsultationType(TextChoices):
    GENERAL = "general"
    FOLLOW_UP = "follow_up", "Follow-up"
    EMERGENCY = "emergency"
    ROUTINE_CHECKUP = "routine_checkup", "Routine check-up"
    SPECIALIST = "specialist"


class Priority(TextChoices):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    URGENT = "urgent"


UPCOMING = frozenset({Status.SCHEDULED, Status.CONFIRMED})  # ahead of the visit


def always(role, has_begun):
    return True


def after_start(role, has_begun):
    return has_begun


def patients_before_start(role, has_begun):
    return role != UserType.PATIENT or not has_begun


class Move(NamedTuple):
    sources: dict[Status, frozenset]  # from which status, and by whom
    target: Status
    when: Callable[[str, bool], bool] = always  # may this role, now that its time has begun or not

    @property
    def roles(self):
        """Everyone who may ever make this move."""
        return frozenset().union(*self.sources.values())

    def is_forward(self, status, role):
        """Whether this role may ever make it from there."""
        return role in self.sources.get(status, ())

    def is_allowed_from(self, *, status, role, starts_at, now):
        return self.is_forward(status, role) and self.when(role, now >= starts_at)


FROM_SCHEDULED = {Status.SCHEDULED: CLINICIANS}
FROM_UPCOMING = {Status.SCHEDULED: CLINICIANS, Status.CONFIRMED: CLINICIANS}
FROM_UPCOMING_BY_ANYONE = {Status.SCHEDULED: EVERYONE, Status.CONFIRMED: EVERYONE}
FROM_IN_PROGRESS = {Status.IN_PROGRESS: CLINICIANS}

MOVES = {
    "confirm": Move(FROM_SCHEDULED, Status.CONFIRMED),
    "start": Move(FROM_UPCOMING, Status.IN_PROGRESS),
    "complete": Move(FROM_UPCOMING | FROM_IN_PROGRESS, Status.COMPLETED),
    "no_show": Move(FROM_UPCOMING, Status.NO_SHOW, after_start),
    "cancel": Move(
        FROM_UPCOMING_BY_ANYONE | FROM_IN_PROGRESS, Status.CANCELLED, patients_before_start
    ),
    "reschedule": Move(FROM_UPCOMING_BY_ANYONE, Status.SCHEDULED),
}


def open_moves(*, status, role, starts_at, now):
    """The moves open to a role now, in the table's order."""
    return list(_open_moves(status, role, now >= starts_at))


@cache
def _open_moves(status, role, has_begun):
    return [
        action
        for action, move in MOVES.items()
        if move.is_forward(status, role) and move.when(role, has_begun)
    ]


def transition_to(status):
    """The move that a `status` in a PUT asks for; None where no move needs only that."""
    for action, move in MOVES.items():
        if move.target == status and action != "reschedule":
            return action
    return None
