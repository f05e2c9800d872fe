"""The state machine of an appointment, as a table: status, moves, and who may make them when."""

from collections.abc import Callable
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


class Stage(TextChoices):
    """How far the consultation of an appointment has come."""

    NONE = "", _("Not started")
    STARTED = "started", _("Started")
    COMPLETED = "completed", _("Completed")


class Situation(NamedTuple):
    """The facts on which a move depends, besides status and role. See appointments.move_rules."""

    day_has_come: bool = False  # the clinic day of the visit
    has_begun: bool = False
    can_be_taken_back: bool = False  # the last move
    is_recent: bool = False  # the last move


def always(role: str, situation: Situation) -> bool:
    return True


def from_its_day_on(role: str, situation: Situation) -> bool:
    return situation.day_has_come


def after_start(role: str, situation: Situation) -> bool:
    return situation.has_begun


def patients_before_start(role: str, situation: Situation) -> bool:
    return role != UserType.PATIENT or not situation.has_begun


def recently_or_by_admins(role: str, situation: Situation) -> bool:
    return situation.can_be_taken_back and (situation.is_recent or role == UserType.ADMIN)


class Move(NamedTuple):
    """One row of the state machine.

    `sources` maps each status the move starts from to the roles that may make the move. `target` is
    None for the move that leads back to the status before the last move.
    """

    sources: dict[Status, frozenset[str]]
    target: Status | None
    condition: Callable[[str, Situation], bool] = always

    @property
    def roles(self) -> frozenset[str]:
        """The roles that may make this move from any status."""
        return frozenset().union(*self.sources.values())

    def is_listed(self, status: str, role: str) -> bool:
        """Whether the table lists this role for this status, whatever the situation."""
        return role in self.sources.get(Status(status), ())

    def is_allowed(self, *, status: str, role: str, situation: Situation) -> bool:
        return self.is_listed(status, role) and self.condition(role, situation)


FROM_SCHEDULED = {Status.SCHEDULED: CLINICIANS}
FROM_UPCOMING = {Status.SCHEDULED: CLINICIANS, Status.CONFIRMED: CLINICIANS}
FROM_UPCOMING_BY_ANYONE = {Status.SCHEDULED: EVERYONE, Status.CONFIRMED: EVERYONE}
FROM_IN_PROGRESS = {Status.IN_PROGRESS: CLINICIANS}
FROM_STARTED_OR_ENDED = dict.fromkeys(
    (Status.IN_PROGRESS, Status.COMPLETED, Status.CANCELLED, Status.NO_SHOW), CLINICIANS
)

MOVES = {
    "confirm": Move(FROM_SCHEDULED, Status.CONFIRMED),
    "start": Move(FROM_UPCOMING, Status.IN_PROGRESS, from_its_day_on),
    "complete": Move(FROM_UPCOMING | FROM_IN_PROGRESS, Status.COMPLETED, from_its_day_on),
    "no_show": Move(FROM_UPCOMING, Status.NO_SHOW, after_start),
    "cancel": Move(
        FROM_UPCOMING_BY_ANYONE | FROM_IN_PROGRESS, Status.CANCELLED, patients_before_start
    ),
    "reschedule": Move(FROM_UPCOMING_BY_ANYONE, Status.SCHEDULED, patients_before_start),
    "reopen": Move(FROM_STARTED_OR_ENDED, None, recently_or_by_admins),
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
    "reopen": _("Reopen"),
}


def open_moves(*, status: str, role: str, situation: Situation) -> list[str]:
    """Return the names of the moves that a role may make now, in the table's order."""
    return list(_open_moves(status, role, situation))


@cache
def _open_moves(status: str, role: str, situation: Situation) -> list[str]:
    return [
        action
        for action, move in MOVES.items()
        if move.is_allowed(status=status, role=role, situation=situation)
    ]


def transition_to(status: str) -> str | None:
    """Return the move whose target is `status`; None where no move is made for it alone."""
    for action, move in MOVES.items():
        if move.target == status and action != "reschedule":
            return action
    return None
