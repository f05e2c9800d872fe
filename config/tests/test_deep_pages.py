"""Pages far down a list are selected by id first, with the same result."""

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from appointments.tests.factories import make_appointment
from config.api import pagination
from config.tests.personas import build_clinic
from consultations.tests.factories import make_consultation
from patients.tests.factories import PatientFactory

LISTS = [
    ("ada", "/api/appointments/"),
    ("house", "/api/appointments/?ordering=-priority"),
    ("house", "/api/appointments/?ordering=status,-created_at"),
    ("ada", "/api/appointments/?search=cough&status=cancelled"),
    ("ada", "/api/upcoming/"),
    ("ada", "/api/time-slots/"),
    ("jane", "/api/time-slots/?available=true"),
    ("ada", "/api/patients/"),
    ("ada", "/api/consultations/"),
    ("house", "/api/consultations/"),
]


@pytest.fixture
def clinic(db):
    clinic = build_clinic()
    for number in range(3):
        for status, priority in (("scheduled", "high"), ("cancelled", "low")):
            patient = PatientFactory(first_name=f"Pat{number}")
            make_appointment(status, doctor=clinic.house, patient=patient, priority=priority)
    make_consultation(appointment=make_appointment(doctor=clinic.house), started=True)
    return clinic


@pytest.mark.parametrize(("who", "address"), LISTS)
def test_deep_pages_equal_shallow_ones(api, clinic, monkeypatch, who, address):
    client = api(getattr(clinic, who))
    shallow = pages(client, address)
    monkeypatch.setattr(pagination, "DEFERRED_JOIN_OFFSET", 1)
    deep = pages(client, address)

    assert shallow == deep
    assert len(deep) > 1
    assert all(len(page) == 1 for page in deep)


def pages(client, address):
    """Returns the rows of every page of size one, by page number."""
    found, joint = [], "&" if "?" in address else "?"
    for number in range(1, 1 + client.get(address).json()["data"]["count"]):
        answer = client.get(f"{address}{joint}page_size=1&page={number}")
        found.append([row["id"] for row in answer.json()["data"]["results"]])
    return found


def test_only_the_rows_of_a_deep_page_are_joined(api, clinic, monkeypatch):
    monkeypatch.setattr(pagination, "DEFERRED_JOIN_OFFSET", 2)

    shallow, deep = (page_query(api(clinic.ada), page) for page in (2, 4))

    assert shallow.count("JOIN") == deep.count("JOIN") == 3
    assert "OFFSET 1" in shallow
    inner = deep[deep.index(" IN (SELECT") :]
    assert "OFFSET 3" in inner
    assert "JOIN" not in inner


def test_the_last_page_is_read_in_reverse_order(api, clinic, monkeypatch):
    monkeypatch.setattr(pagination, "DEFERRED_JOIN_OFFSET", 2)
    client = api(clinic.ada)
    last = client.get("/api/appointments/").json()["data"]["count"]

    statement = page_query(client, last)

    assert " IN (SELECT" not in statement
    assert "OFFSET" not in statement
    assert re.search(r"ORDER BY \S+ ASC", statement)


@pytest.mark.parametrize(("who", "address"), [one for one in LISTS if "search" not in one[1]])
def test_the_count_query_has_no_joins(api, clinic, who, address):
    with CaptureQueriesContext(connection) as asked:
        api(getattr(clinic, who)).get(address)

    (count,) = (one["sql"] for one in asked if "COUNT(" in one["sql"])
    assert "JOIN" not in count


def page_query(client, page):
    with CaptureQueriesContext(connection) as asked:
        client.get("/api/appointments/", {"page_size": 1, "page": page})
    return next(
        one["sql"] for one in asked if "appointment" in one["sql"] and "LIMIT" in one["sql"]
    )
