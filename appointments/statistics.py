"""Counts over any appointments it is handed; hand it what a person sees, and they are his."""

from collections import Counter
from datetime import date

from django.db.models import Count, Q
from django.db.models.functions import TruncTime

from appointments import clock
from appointments.lifecycle import UPCOMING, Status

BUSIEST = 5
LIVE_COUNT = frozenset(Status) - {Status.CANCELLED}


def statistics(appointments, *, date_after=None, date_before=None):
    """Numbers, rates (0 to 1, None without a base) and the five busiest starting times.

    The dates, both included, narrow all but `today`, `upcoming` and the two months. One statement
    counts by status and starting time, of which there are few; the rest is adding up.
    """
    groups = _groups(
        appointments,
        chosen=_within(date_after, date_before),
        today=_between(*clock.day_bounds(clock.today())),
        ahead=Q(starts_at__gt=clock.now()),
        this_month=_between(*_month(0)),
        last_month=_between(*_month(-1)),
    )

    def number(period, statuses):
        return sum(group[period] for group in groups if group["status"] in statuses)

    by_status = {status.value: number("chosen", {status}) for status in Status}
    completed, missed = by_status[Status.COMPLETED], by_status[Status.NO_SHOW]
    return {
        "total": sum(by_status.values()),
        "by_status": by_status,
        "today": number("today", LIVE_COUNT),
        "upcoming": number("ahead", UPCOMING),
        "this_month": number("this_month", LIVE_COUNT),
        "last_month": number("last_month", LIVE_COUNT),
        "completion_rate": _rate(completed, completed + by_status[Status.CANCELLED] + missed),
        "no_show_rate": _rate(missed, completed + missed),
        "busiest_times": _busiest(groups),
    }


def _groups(appointments, **periods):
    """How many of each status start at each time of day, in each of the periods."""
    starting = TruncTime("starts_at", tzinfo=clock.zone())
    counts = {name: Count("pk", filter=period) for name, period in periods.items()}
    return list(appointments.order_by().values("status", start_time=starting).annotate(**counts))


def _busiest(groups):
    counts = Counter()
    for group in groups:
        if group["status"] in LIVE_COUNT:
            counts[group["start_time"]] += group["chosen"]
    busiest = sorted((-count, start_time) for start_time, count in counts.items() if count)
    return [{"start_time": time, "count": -count} for count, time in busiest[:BUSIEST]]


def _between(start, end):
    return Q(starts_at__gte=start, starts_at__lt=end)


def _within(date_after, date_before):
    chosen = Q()
    if date_after:
        chosen &= Q(starts_at__gte=clock.start_of_day(date_after))
    if date_before:
        chosen &= Q(starts_at__lt=clock.day_bounds(date_before)[1])
    return chosen


def _month(offset):
    """The first instant of a month, counted from the clinic's present one, and of the next."""
    return _first_of_month(offset), _first_of_month(offset + 1)


def _first_of_month(offset):
    today = clock.today()
    years, month = divmod(today.month - 1 + offset, 12)
    return clock.start_of_day(date(today.year + years, month + 1, 1))


def _rate(part, whole):
    return round(part / whole, 4) if whole else None
