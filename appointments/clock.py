"""What time it is, and how the clinic's clock reads. The demo and the tests set it."""

from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone

_set_to = ContextVar("clinic_clock", default=None)


def now():
    return _set_to.get() or timezone.now()


@contextmanager
def frozen_at(moment):
    """Make it `moment`, an aware datetime, within the block."""
    token = _set_to.set(moment)
    try:
        yield
    finally:
        _set_to.reset(token)


def zone():
    """The clinic's time zone (TIME_ZONE)."""
    return timezone.get_default_timezone()


def to_clinic_time(moment):
    return moment.astimezone(zone())


def today():
    return to_clinic_time(now()).date()


def clinic_datetime(date, clock_time, fold=0):
    """The UTC instant at which the clinic's clock shows `clock_time` on `date`.

    A time that a change to summer time skips does not exist: ValidationError. One that the change
    back shows twice is taken as the first, and with `fold=1` as the second.
    """
    shown = datetime.combine(date, clock_time)
    moment = shown.replace(tzinfo=zone(), fold=fold).astimezone(UTC)
    if to_clinic_time(moment).replace(tzinfo=None) != shown:
        raise ValidationError(
            f"{clock_time:%H:%M} does not exist on {date}: the clocks go forward.",
            code="nonexistent_time",
        )
    return moment


def start_of_day(date):
    """The first instant of a clinic day."""
    return datetime.combine(date, time.min, zone()).astimezone(UTC)


def end_of_day(date):
    """Return the first instant of the next clinic day."""
    return start_of_day(date + timedelta(days=1))


def day_bounds(date):
    """The first instant of a clinic day, and that of the next."""
    return start_of_day(date), end_of_day(date)
