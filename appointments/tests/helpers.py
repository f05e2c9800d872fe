"""Helpers of the tests of appointments: times, slots, response parsing and query counts."""

import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.tests.factories import TimeSlotFactory

BERLIN = ZoneInfo("Europe/Berlin")
DATA_STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)

# The sentences for an id in a body that does not exist, or that the caller does not see.
GONE_PATIENT = "There is no such patient, or the record is closed. Search again."
GONE_SLOT = (
    "This time slot is not available: it was withdrawn, or its doctor takes no appointments at "
    "present. Choose another one."
)


def clinic_time(local):
    """Converts local time of the clinic, such as "2026-12-07 09:00", to a UTC datetime."""
    return datetime.fromisoformat(local).replace(tzinfo=BERLIN).astimezone(UTC)


def make_slot(local="2026-12-07 09:00", minutes=30, **details):
    starts_at = clinic_time(local)
    ends_at = starts_at + timedelta(minutes=minutes)
    return TimeSlotFactory(starts_at=starts_at, ends_at=ends_at, **details)


def data(response, status=200):
    """Checks the status and returns the `data` of the success envelope."""
    assert response.status_code == status, response.content
    return response.json()["data"]


def ids(response):
    """Returns the ids on a page, in order."""
    return [row["id"] for row in data(response)["results"]]


def error_details(response):
    """Returns (status, code, errors) of an error response."""
    body = response.json()
    assert body["status"] == "error"
    return response.status_code, body["code"], body["errors"]


def status_and_code(response):
    return error_details(response)[:2]


def all_rows(*models):
    """Returns every row of the models, to compare before and after."""
    return [list(model.objects.order_by("pk").values()) for model in models]


@contextmanager
def assert_data_queries(expected):
    """Checks the number of SELECT, INSERT, UPDATE and DELETE statements; ignores savepoints."""
    with CaptureQueriesContext(connection) as captured:
        yield
    sent = [query["sql"] for query in captured if DATA_STATEMENT.match(query["sql"])]
    assert len(sent) == expected, "\n".join([f"{len(sent)} statements:", *sent])
