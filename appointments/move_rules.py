"""Which moves of the table are open now, and the reason where one is not."""

from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.roles import UserType
from appointments import booking_rules, clock, lifecycle
from appointments.booking_rules import DATE_FORMAT, HasStart, format_time
from appointments.lifecycle import MOVES, UPCOMING, Situation, Stage, Status
from appointments.models import Appointment
from config.errors import rule_error

# A whole sentence for each move: translations cannot be composed of a verb and a status.
INVALID_MOVES = {
    "confirm": _("This appointment cannot be confirmed now. Its status is %(status)s."),
    "start": _("This appointment cannot be started now. Its status is %(status)s."),
    "complete": _("This appointment cannot be completed now. Its status is %(status)s."),
    "no_show": _("This appointment cannot be marked as a no-show now. Its status is %(status)s."),
    "cancel": _("This appointment cannot be cancelled now. Its status is %(status)s."),
    "reschedule": _("This appointment cannot be rescheduled now. Its status is %(status)s."),
    "reopen": _("This appointment cannot be reopened now. Its status is %(status)s."),
}
NOT_IN_HISTORY = _("The history of this appointment does not say what its status was before.")
TOO_LATE_TO_REOPEN = _("This could be reopened until %(time)s. Ask an administrator to do it.")


class Movable(HasStart, Protocol):
    """An appointment, or its row in a list."""

    @property
    def status(self) -> str: ...
    @property
    def previous_status(self) -> str: ...
    @property
    def status_changed_at(self) -> datetime | None: ...
    @property
    def consultation_stage(self) -> str: ...


class Present(NamedTuple):
    """The current time and what follows from it for all appointments of a page."""

    now: datetime
    tomorrow: datetime  # the start of the next clinic day
    recent: datetime | None  # a later move can be taken back; None sets no limit

    @classmethod
    def at(cls, now: datetime) -> "Present":
        hours = settings.REOPEN_HOURS
        recent = now - timedelta(hours=hours) if hours > 0 else None
        return cls(now, clock.end_of_day(clock.to_clinic_time(now).date()), recent)

    def situation(self, appointment: Movable) -> Situation:
        changed_at = appointment.status_changed_at
        return Situation(
            day_has_come=appointment.starts_at < self.tomorrow,
            has_begun=appointment.starts_at <= self.now,
            can_be_taken_back=_can_be_taken_back(appointment),
            is_recent=self.is_recent(changed_at) if changed_at else False,
        )

    def is_recent(self, moment: datetime) -> bool:
        return self.recent is None or moment >= self.recent


def _can_be_taken_back(appointment: Movable) -> bool:
    """Return whether the status before is known and fits the stage of the consultation."""
    if not appointment.previous_status or appointment.consultation_stage == Stage.COMPLETED:
        return False
    return not _would_precede_consultation(appointment)


def _would_precede_consultation(appointment: Movable) -> bool:
    has_started = appointment.consultation_stage == Stage.STARTED
    return has_started and appointment.previous_status in UPCOMING


def open_moves(appointment: Movable, *, role: str, present: Present | None = None) -> list[str]:
    """Return the moves that a role may make now, without those past their deadline.

    Callers pass one `present` for all appointments of a page.
    """
    present = present or Present.at(clock.now())
    moves = lifecycle.open_moves(
        status=appointment.status, role=role, situation=present.situation(appointment)
    )
    if role != UserType.PATIENT:  # staff have no deadline
        return moves
    return [
        action
        for action in moves
        if not booking_rules.closed_at(appointment, action, role, present.now)
    ]


def check_allowed(appointment: Appointment, action: str, *, by: User) -> None:
    """Raise ValidationError with the code `invalid_transition` or `too_early`, or one of a cut-off.

    The params of `invalid_transition` list the moves that are open to `by`.
    """
    move, situation = MOVES[action], Present.at(clock.now()).situation(appointment)
    if not move.is_allowed(status=appointment.status, role=by.role, situation=situation):
        raise _refusal(appointment, action, by, situation)
    booking_rules.check_move(appointment, action, by=by)


def day_has_come(appointment: Movable) -> bool:
    """Return whether the clinic day of the visit is today or past."""
    return Present.at(clock.now()).situation(appointment).day_has_come


def check_recent(moment: datetime, *, by: User) -> None:
    """Check the time limit for taking back what was done at that moment; admins have none."""
    if by.role != UserType.ADMIN and not Present.at(clock.now()).is_recent(moment):
        raise rule_error(
            "status", TOO_LATE_TO_REOPEN, "invalid_transition", time=_last_call(moment)
        )


def invalid_transition(
    appointment: Appointment, by: User, sentence: str | Promise, **params: object
) -> ValidationError:
    """Return the error for a change that the state of the appointment does not allow.

    `sentence` may name the status as `%(status)s`. The params list the moves allowed to `by`.
    """
    params["status"] = appointment.get_status_display()
    params["allowed"] = open_moves(appointment, role=by.role)
    return rule_error("status", sentence, "invalid_transition", **params)


def _last_call(moment: datetime) -> str:
    return format_time(moment + timedelta(hours=settings.REOPEN_HOURS))


def _refusal(
    appointment: Appointment, action: str, by: User, situation: Situation
) -> ValidationError:
    move, status = MOVES[action], Status(appointment.status)
    has_begun = situation.has_begun and status in UPCOMING
    if by.role == UserType.PATIENT and (has_begun or status == Status.IN_PROGRESS):
        sentence = _("This visit has begun and can only be changed by the clinic. Call the clinic.")
        return invalid_transition(appointment, by, sentence)
    if not move.is_listed(status, by.role):
        return invalid_transition(appointment, by, INVALID_MOVES[action])
    if action == "reopen":
        return _not_reopenable(appointment, by)
    if not situation.day_has_come:
        return _too_early(appointment)
    sentence = _("A no-show can be recorded once the time of the visit has come, at %(time)s.")
    time = format_time(appointment.starts_at)
    return invalid_transition(appointment, by, sentence, time=time)


def _too_early(appointment: Appointment) -> ValidationError:
    sentence = _(
        "This visit is on %(day)s. It cannot be started, completed or marked as a no-show before "
        "that day."
    )
    day = date_format(appointment.date, DATE_FORMAT)
    return rule_error("status", sentence, "too_early", day=day)


def _not_reopenable(appointment: Appointment, by: User) -> ValidationError:
    if appointment.consultation_stage == Stage.COMPLETED:
        sentence = _(
            "The consultation of this appointment is completed. Reopen the consultation: the "
            "appointment is then reopened too."
        )
        return invalid_transition(appointment, by, sentence)
    if not appointment.previous_status or appointment.status_changed_at is None:
        return invalid_transition(appointment, by, NOT_IN_HISTORY)
    if _would_precede_consultation(appointment):
        sentence = _(
            "The consultation of this appointment has started, so the appointment cannot return "
            "to a status before its start. Complete or cancel it."
        )
        return invalid_transition(appointment, by, sentence)
    time = _last_call(appointment.status_changed_at)
    return invalid_transition(appointment, by, TOO_LATE_TO_REOPEN, time=time)
