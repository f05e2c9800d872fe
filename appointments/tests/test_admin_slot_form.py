"""The admin's form of a time slot has the limits of the API."""

import pytest

from accounts.tests.factories import DoctorFactory
from appointments.models import TimeSlot

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("date", "start_time", "end_time", "field"),
    [
        ("1799-12-31", "09:00", "09:30", "date"),
        ("2201-01-01", "09:00", "09:30", "date"),
        ("9999-12-31", "09:00", "09:30", "date"),
        ("0001-01-01", "09:00", "09:30", "date"),
        ("2030-02-31", "09:00", "09:30", "date"),
        ("1800-01-01", "09:00", "09:30", "start_time"),  # in the past
        ("2030-03-31", "02:30", "03:30", "start_time"),  # the clocks go forward
        ("2030-01-07", "23:30", "00:30", "end_time"),
        ("2030-01-07", "09:00", "09:00", "end_time"),
        ("2030-01-07", "09:00", "09:04", "end_time"),
        ("2030-01-07", "09:00", "24:00", "end_time"),
        ("2200-12-31", "09:00", "09:30", None),
    ],
)
def test_the_form_of_a_slot_has_the_limits_of_the_api(
    admin_client, api, ada, settings, date, start_time, end_time, field
):
    settings.TIME_ZONE = "Europe/Berlin"
    slot = {"date": date, "start_time": start_time, "end_time": end_time}
    body = slot | {"doctor": DoctorFactory().pk}

    page = admin_client.post("/admin/appointments/timeslot/add/", body)
    answer = api(ada).post("/api/time-slots/", slot | {"doctor": DoctorFactory().pk})

    in_form = list(page.context["adminform"].form.errors) if page.status_code == 200 else []
    in_api = list(answer.json()["errors"]) if answer.status_code >= 400 else []
    assert in_form == in_api == ([field] if field else [])
    assert TimeSlot.objects.count() == (0 if field else 2)
