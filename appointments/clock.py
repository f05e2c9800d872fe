"""The current time, and conversions to the clinic's time zone. The demo and the tests set it."""

from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

_frozen_at = ContextVar("clinic_clock", default=None)


def now():
    return _frozen_at.get() or timezone.now()


@contextmanager
def frozen_at(moment):
    """Let now() return `moment`, an aware datetime, within the block."""
    token = _frozen_at.set(moment)
    try:
        yield
    finally:
        _frozen_at.reset(token)


def zone():
    """Return the clinic's time zone, the setting TIME_ZONE."""
    return timezone.get_default_timezone()


def to_clinic_time(moment):
    return moment.astimezone(zone())


def today():
    return to_clinic_time(now()).date()


def clinic_datetime(date, clock_time, fold=0):
    """Return the UTC datetime of `clock_time` on `date` in the clinic's time zone.

    A time that occurs twice, when the clocks go back, is taken as the first, or with `fold=1` as
    the second. Raises ValidationError with the code `nonexistent_time` for a time that the clocks
    skip when they go forward.
    """
    local = datetime.combine(date, clock_time)
    moment = local.replace(tzinfo=zone(), fold=fold).astimezone(UTC)
    if to_clinic_time(moment).replace(tzinfo=None) != local:
        raise ValidationError(
            _("%(time)s does not exist on %(date)s: the clocks go forward."),
            code="nonexistent_time",
            params={"time": f"{clock_time:%H:%M}", "date": date},
        )
    return moment


def start_of_day(date):
    """Return the UTC datetime at which a clinic day starts."""
    return datetime.combine(date, time.min, zone()).astimezone(UTC)


def end_of_day(date):
    """Return the first instant of the next clinic day."""
    return start_of_day(date + timedelta(days=1))


def day_bounds(date):
    """Return the UTC datetimes at which a clinic day and the next day start."""
    return start_of_day(date), end_of_day(date)
