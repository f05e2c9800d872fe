"""Counts over any appointments it is handed; hand it what a person sees, and they are his."""

from datetime import date

from django.db.models import Count, Q
from django.db.models.functions import TruncTime

from appointments import clock
from appointments.lifecycle import OPEN, Status
from appointments.models import LIVE

BUSIEST = 5


def statistics(appointments, *, date_after=None, date_before=None):
    """Numbers, rates (0 to 1, None without a base) and the five busiest starting times.

    The dates, both included, narrow all but `today`, `upcoming` and the two months.
    """
    chosen = _within(date_after, date_before)
    counted = appointments.order_by().aggregate(
        total=Count("pk", filter=chosen),
        **{status.value: Count("pk", filter=chosen & Q(status=status)) for status in Status},
        today=Count("pk", filter=LIVE & _between(*clock.day(clock.today()))),
        upcoming=Count("pk", filter=Q(status__in=OPEN, starts_at__gt=clock.now())),
        this_month=Count("pk", filter=LIVE & _between(*_month(0))),
        last_month=Count("pk", filter=LIVE & _between(*_month(-1))),
    )
    by_status = {status.value: counted.pop(status.value) for status in Status}
    completed, missed = by_status[Status.COMPLETED], by_status[Status.NO_SHOW]
    return {
        "total": counted.pop("total"),
        "by_status": by_status,
        **counted,
        "completion_rate": _rate(completed, completed + by_status[Status.CANCELLED] + missed),
        "no_show_rate": _rate(missed, completed + missed),
        "busiest_times": list(_busiest(appointments.filter(LIVE & chosen))),
    }


def _busiest(appointments):
    starting = TruncTime("starts_at", tzinfo=clock.zone())
    times = appointments.order_by().values(start_time=starting).annotate(count=Count("pk"))
    return times.order_by("-count", "start_time")[:BUSIEST]


def _between(start, end):
    return Q(starts_at__gte=start, starts_at__lt=end)


def _within(date_after, date_before):
    chosen = Q()
    if date_after:
        chosen &= Q(starts_at__gte=clock.start_of(date_after))
    if date_before:
        chosen &= Q(starts_at__lt=clock.day(date_before)[1])
    return chosen


def _month(offset):
    """The first instant of a month, counted from the clinic's present one, and of the next."""
    return _first_of_month(offset), _first_of_month(offset + 1)


def _first_of_month(offset):
    today = clock.today()
    years, month = divmod(today.month - 1 + offset, 12)
    return clock.start_of(date(today.year + years, month + 1, 1))


def _rate(part, whole):
    return round(part / whole, 4) if whole else None
