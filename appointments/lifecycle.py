"""The state machine of an appointment, as a table: status, moves, and who may make them when."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from accounts.roles import CLINICIANS, EVERYONE, UserType


class Status(TextChoices):
    SCHEDULED = "scheduled", _("Scheduled")
    CONFIRMED = "confirmed", _("Confirmed")
    IN_PROGRESS = "in_progress", _("In progress")
    COMPLETED = "completed", _("Completed")
    CANCELLED = "cancelled", _("Cancelled")
    NO_SHOW = "no_show", _("No-show")


class ConsultationType(TextChoices):
    GENERAL = "general", _("General")
    FOLLOW_UP = "follow_up", _("Follow-up")
    EMERGENCY = "emergency", _("Emergency")
    ROUTINE_CHECKUP = "routine_checkup", _("Routine check-up")
    SPECIALIST = "specialist", _("Specialist")


class Priority(TextChoices):
    LOW = "low", _("Low")
    MEDIUM = "medium", _("Medium")
    HIGH = "high", _("High")
    URGENT = "urgent", _("Urgent")


UPCOMING = frozenset({Status.SCHEDULED, Status.CONFIRMED})  # before the visit
OPEN = UPCOMING | {Status.IN_PROGRESS}


def always(role: str, has_begun: bool) -> bool:
    return True


def after_start(role: str, has_begun: bool) -> bool:
    return has_begun


def patients_before_start(role: str, has_begun: bool) -> bool:
    return role != UserType.PATIENT or not has_begun


class Move(NamedTuple):
    """One row of the state machine.

    `sources` maps each status the move starts from to the roles that may make the move.
    `condition` takes the role and whether the appointment's start has passed.
    """

    sources: dict[Status, frozenset[str]]
    target: Status
    condition: Callable[[str, bool], bool] = always

    @property
    def roles(self) -> frozenset[str]:
        """The roles that may make this move from any status."""
        return frozenset().union(*self.sources.values())

    def is_listed(self, status: str, role: str) -> bool:
        """Whether the table lists this role for this status, whatever the time."""
        return role in self.sources.get(Status(status), ())

    def is_allowed_from(
        self, *, status: str, role: str, starts_at: datetime, now: datetime
    ) -> bool:
        return self.is_listed(status, role) and self.condition(role, now >= starts_at)


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

MOVE_NAMES = list(MOVES)

# What AppointmentHistory.action names: the booking, a change of details, and each move.
ACTION_TITLES = {
    "book": _("Book"),
    "updated": _("Change details"),
    "confirm": _("Confirm"),
    "start": _("Start"),
    "complete": _("Complete"),
    "no_show": _("No-show"),
    "cancel": pgettext_lazy("appointment", "Cancel"),
    "reschedule": _("Reschedule"),
}


def open_moves(*, status: str, role: str, starts_at: datetime, now: datetime) -> list[str]:
    """Return the names of the moves that a role may make now, in the table's order."""
    return list(_open_moves(status, role, now >= starts_at))


@cache
def _open_moves(status: str, role: str, has_begun: bool) -> list[str]:
    return [
        action
        for action, move in MOVES.items()
        if move.is_listed(status, role) and move.condition(role, has_begun)
    ]


def transition_to(status: str) -> str | None:
    """Return the move whose target is `status`; None where only `reschedule` leads there."""
    for action, move in MOVES.items():
        if move.target == status and action != "reschedule":
            return action
    return None
