"""Counts and rates of appointments. Callers pass the appointments that the user may see."""

from collections import Counter
from datetime import date, time

from django.db.models import Count, Q
from django.db.models.functions import TruncTime

from appointments import clock
from appointments.lifecycle import UPCOMING, Status

BUSIEST_TIMES = 5  # the number of starting times that are listed
LIVE = frozenset(Status) - {Status.CANCELLED}


def statistics(appointments, *, date_after=None, date_before=None):
    """Return counts, rates and the five busiest starting times, as StatisticsSerializer lists them.

    A rate is between 0 and 1, or None where there is nothing to divide by. The dates, both
    included, restrict all values but `today`, `upcoming` and the two months. One query counts by
    status and starting time; the sums are taken in Python, as the groups are few.
    """
    groups = _groups(
        appointments,
        chosen=_within(date_after, date_before),
        today=_between(*clock.day_bounds(clock.today())),
        ahead=Q(starts_at__gt=clock.now()),
        this_month=_between(*_month(0)),
        last_month=_between(*_month(-1)),
    )

    def count(period, statuses):
        return sum(group[period] for group in groups if group["status"] in statuses)

    by_status = {status.value: count("chosen", {status}) for status in Status}
    completed, missed = by_status[Status.COMPLETED], by_status[Status.NO_SHOW]
    return {
        "total": sum(by_status.values()),
        "by_status": by_status,
        "today": count("today", LIVE),
        "upcoming": count("ahead", UPCOMING),
        "this_month": count("this_month", LIVE),
        "last_month": count("last_month", LIVE),
        "completion_rate": _rate(completed, completed + by_status[Status.CANCELLED] + missed),
        "no_show_rate": _rate(missed, completed + missed),
        "busiest_times": _busiest(groups),
    }


def _groups(appointments, **periods):
    """Count the appointments by status and starting time, once for each period."""
    start_time = TruncTime("starts_at", tzinfo=clock.zone())
    counts = {name: Count("pk", filter=period) for name, period in periods.items()}
    return list(appointments.order_by().values("status", start_time=start_time).annotate(**counts))


def _busiest(groups):
    counts: Counter[time] = Counter()
    for group in groups:
        if group["status"] in LIVE:
            counts[group["start_time"]] += group["chosen"]
    busiest = sorted((-count, start_time) for start_time, count in counts.items() if count)
    return [{"start_time": time, "count": -count} for count, time in busiest[:BUSIEST_TIMES]]


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
    """Return when a month and the next month start; `offset` 0 is the current month."""
    return _first_of_month(offset), _first_of_month(offset + 1)


def _first_of_month(offset):
    today = clock.today()
    years, month = divmod(today.month - 1 + offset, 12)
    return clock.start_of_day(date(today.year + years, month + 1, 1))


def _rate(part, whole):
    return round(part / whole, 4) if whole else None
