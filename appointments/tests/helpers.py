"""Words the tests of this app share: the clinic's clock, slots at a time, and counted queries."""

import re
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.tests.factories import TimeSlotFactory

BERLIN = ZoneInfo("Europe/Berlin")
DATA_STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)


def berlin(shown):
    """The instant at which the clinic's clock shows, for instance, "2026-12-07 09:00"."""
    return datetime.fromisoformat(shown).replace(tzinfo=BERLIN).astimezone(UTC)


def a_slot(shown="2026-12-07 09:00", minutes=30, **details):
    starts_at = berlin(shown)
    ends_at = starts_at + timedelta(minutes=minutes)
    return TimeSlotFactory(starts_at=starts_at, ends_at=ends_at, **details)


def data(response, status=200):
    """What the envelope of a success carries."""
    assert response.status_code == status, response.content
    return response.json()["data"]


def ids(response):
    """The ids of a page, in its order."""
    return [row["id"] for row in data(response)["results"]]


def refusal(response):
    """(status, code, errors) of an answer that refuses."""
    body = response.json()
    assert body["status"] == "error"
    return response.status_code, body["code"], body["errors"]


def code(response):
    """(status, code) of an answer that refuses."""
    return refusal(response)[:2]


def snapshot(*models):
    """Every row of the models, to show that nothing was written."""
    return [list(model.objects.order_by("pk").values()) for model in models]


@contextmanager
def data_statements(expected):
    """Exactly so many statements that read or write rows; savepoints are not counted."""
    with CaptureQueriesContext(connection) as captured:
        yield
    sent = [query["sql"] for query in captured if DATA_STATEMENT.match(query["sql"])]
    assert len(sent) == expected, "\n".join([f"{len(sent)} statements:", *sent])
