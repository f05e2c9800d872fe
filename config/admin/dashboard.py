"""The first page of the staff admin: numbers of today, and the appointments of the day."""

import json
from datetime import timedelta

from django.db.models import Count, Q
from django.db.models.functions import TruncDate
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from accounts.models import User
from accounts.roles import UserType
from appointments import clock
from appointments.admin_actions import STATUS_COLOURS
from appointments.lifecycle import Status
from appointments.models import Appointment
from appointments.statistics import statistics
from config.admin.audited_pages import show_records
from config.admin.base import coloured_label
from patients.models import EmergencyAccess

DAYS = range(-7, 7)  # days of the chart, counted from today

CHART_OPTIONS = {
    "maintainAspectRatio": False,
    "barPercentage": 0.7,
    "maxBarThickness": 40,
    "plugins": {"legend": {"display": False}},
    "scales": {
        "x": {"grid": {"display": False}, "border": {"display": False}},
        "y": {"display": True, "beginAtZero": True, "ticks": {"precision": 0}},
    },
}


def dashboard(request, context):
    """Adds the context of admin/index.html (UNFOLD["DASHBOARD_CALLBACK"])."""
    today = clock.today()
    appointments = list(_appointments_today())
    show_records(request, *appointments)
    numbers = statistics(Appointment.objects.all(), date_after=today, date_before=today)
    return context | {
        "title": _("Overview"),
        "today": today,
        "cards": _cards(numbers),
        "statuses": [
            {
                "text": f"{status.label}: {numbers['by_status'][status]}",
                "type": STATUS_COLOURS[status],
            }
            for status in Status
        ],
        "day_sheet": {
            "headers": [_("Time"), _("Patient"), _("Doctor"), _("Reason"), _("Status")],
            "rows": [_row(one) for one in appointments],
        },
        "chart": json.dumps(_chart(today)),
        "chart_options": json.dumps(CHART_OPTIONS),
    }


def _cards(numbers):
    people = User.objects.filter(is_active=True).aggregate(
        patients=Count("pk", filter=Q(user_type=UserType.PATIENT)),
        doctors=Count("pk", filter=Q(user_type=UserType.DOCTOR)),
        waiting=Count("pk", filter=Q(user_type=UserType.DOCTOR, license_verified=False)),
    )
    to_review = EmergencyAccess.objects.to_review().count()
    appointments = reverse("admin:appointments_appointment_changelist")
    doctors = reverse("admin:accounts_doctor_changelist")
    return [
        _card(_("Appointments today"), numbers["today"], f"{appointments}?when=today"),
        _card(_("Upcoming appointments"), numbers["upcoming"], f"{appointments}?when=ahead"),
        _card(_("Patients"), people["patients"], reverse("admin:patients_patient_changelist")),
        _card(_("Doctors"), people["doctors"], doctors),
        _card(
            _("Licences to verify"),
            people["waiting"],
            f"{doctors}?license_verified__exact=0&is_active__exact=1",
            urgent=people["waiting"] > 0,
        ),
        _card(
            _("Emergency accesses to review"),
            to_review,
            f"{reverse('admin:patients_emergencyaccess_changelist')}?review=open",
            urgent=to_review > 0,
        ),
    ]


def _card(title, count, link, *, urgent=False):
    return {"title": title, "count": count, "link": link, "urgent": urgent}


def _appointments_today():
    """The appointments of today, with the cancelled ones, about which patients ask too."""
    return Appointment.objects.on(clock.today()).with_people().soonest_first()


def _row(appointment):
    page = reverse("admin:appointments_appointment_change", args=[appointment.pk])
    colour = STATUS_COLOURS[appointment.status]
    return [
        format_html(
            '<a class="font-semibold text-link" href="{}">{}</a>',
            page,
            f"{appointment.start_time:%H:%M}",
        ),
        appointment.patient,
        appointment.doctor,
        appointment.reason_for_visit[:80],
        coloured_label(appointment.get_status_display(), colour),
    ]


def _chart(today):
    """The appointments of each day, without the cancelled ones, as data of Chart.js."""
    days = [today + timedelta(days=offset) for offset in DAYS]
    within = Appointment.objects.live().filter(
        starts_at__gte=clock.start_of_day(days[0]), starts_at__lt=clock.day_bounds(days[-1])[1]
    )
    per_day = within.order_by().values(day=TruncDate("starts_at", tzinfo=clock.zone()))
    counts = dict(per_day.annotate(count=Count("pk")).values_list("day", "count"))
    return {
        "labels": [_("Today") if day == today else date_format(day, "D j") for day in days],
        "datasets": [
            {
                "label": _("Appointments"),
                "data": [counts.get(day, 0) for day in days],
                "backgroundColor": [
                    "var(--color-primary-700)" if day == today else "var(--color-primary-400)"
                    for day in days
                ],
                "borderRadius": 4,
            }
        ],
    }
