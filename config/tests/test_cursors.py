"""Cursor pagination returns every row once and in order despite concurrent changes."""

import json
from urllib.parse import unquote

import pytest
from django.core import signing
from django.db import connection

from accounts.auth.sessions import open_session
from appointments import services
from appointments.models import Appointment
from appointments.tests.factories import TimeSlotFactory, make_appointment
from appointments.tests.helpers import assert_data_queries
from config.access_report import iter_endpoints
from config.api import cursor_pagination
from config.tests.personas import address_of, build_clinic
from config.tests.test_indexes import explain, statements
from consultations.tests.factories import add_parts, make_consultation
from patients.emergency_access import grant_emergency_access
from patients.models import Patient
from patients.services import deactivate
from patients.tests.factories import PatientFactory

APPOINTMENTS = "/api/appointments/"
LISTS = [
    ("ada", "/api/patients/"),
    ("house", "/api/patients/?search=pat"),
    ("jane", "/api/doctors/"),
    ("ada", "/api/time-slots/"),
    ("jane", "/api/time-slots/?available=true"),
    ("ada", APPOINTMENTS),
    ("house", "/api/appointments/?status=scheduled"),
    ("ada", "/api/upcoming/"),
    ("ada", "/api/consultations/"),
    ("house", "/api/consultations/"),
    ("jane", "/api/patients/{jane}/consultations/"),
    ("jane", "/api/patients/{jane}/emergency-access/"),
    ("house", "/api/appointments/{visit}/history/"),
    ("jane", "/api/consultations/{consultation}/vital-signs/"),
    ("jane", "/api/appointments/api/appointments/"),
    ("jane", "/api/auth/sessions/"),
]


@pytest.fixture
def clinic(db):
    """A clinic with rows that differ only in their id."""
    clinic = build_clinic()
    for number in range(3):
        patient = PatientFactory(first_name="Pat", last_name="Same", username=f"pat{number}")
        make_appointment(doctor=clinic.house, patient=patient)
        make_appointment("cancelled", doctor=clinic.grey, patient=clinic.jane)
    for patient in (clinic.jane, clinic.paul):
        make_consultation(appointment=make_appointment(doctor=clinic.house, patient=patient))
    grant_emergency_access(clinic.jane, by=clinic.grey, reason="Unconscious again")
    add_parts(clinic.consultation)
    open_session(clinic.jane)
    moment = Appointment.objects.order_by("starts_at").first().starts_at
    for slot in (clinic.free, clinic.greys_free):
        type(slot).objects.filter(pk=slot.pk).update(
            starts_at=moment.replace(year=moment.year + 2),
            ends_at=moment.replace(year=moment.year + 2, minute=30),
        )
    return clinic


@pytest.fixture
def walk(api, clinic):
    """Returns all pages, from the first by `next` or from the last by `previous`."""
    names = {"jane": clinic.jane.pk, "visit": clinic.appointment.pk}
    names["consultation"] = clinic.consultation.pk

    def pages(who, address):
        client, address = api(getattr(clinic, who)), address.format(**names)
        joint = "&" if "?" in address else "?"
        every = rows(client.get(f"{address}{joint}page_size=100"))
        size = min(len(every) - 1, 2)
        forwards = list(follow(client, f"{address}{joint}page_size={size}&cursor=", "next"))
        backwards = list(follow(client, forwards[-1][0], "previous"))
        return every, forwards, backwards

    return pages


def rows(answer):
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["data"]["results"]]


def follow(client, address, way):
    """Returns (URL, ids) of each page."""
    while address:
        answer = client.get(address)
        yield address, rows(answer)
        address = answer.json()["data"][way]


@pytest.mark.parametrize(("who", "address"), LISTS)
def test_cursor_pages_return_every_row_once_in_both_directions(walk, who, address):
    every, forwards, backwards = walk(who, address)

    assert [row for _, page in forwards for row in page] == every
    assert [row for _, page in reversed(backwards) for row in page] == every
    assert len(forwards) >= 2
    assert all(page for _, page in forwards)


def test_the_browsable_api_shows_cursor_pages(api, clinic):
    client = api(clinic.ada)

    assert (
        client.get(APPOINTMENTS, {"cursor": ""}, headers={"Accept": "text/html"}).status_code == 200
    )


def test_every_list_is_ordered_by_unique_non_null_keys(api, clinic, monkeypatch):
    """No ordering column is nullable, and the last one is the primary key."""
    asked, paginate = {}, cursor_pagination.paginate_by_cursor

    def note(rows, *args, **kwargs):
        asked[endpoint.address] = rows.keys
        return paginate(rows, *args, **kwargs)

    monkeypatch.setattr(cursor_pagination, "paginate_by_cursor", note)
    endpoints = [
        endpoint
        for endpoint in iter_endpoints()
        if endpoint.is_canonical and "get" in endpoint.actions
    ]
    for caller in map(api, (clinic.ada, clinic.house, clinic.jane)):
        for endpoint in endpoints:
            caller.get(address_of(endpoint, clinic), {"cursor": ""})

    assert len(asked) == 16
    for keys in asked.values():
        assert keys[-1].field.primary_key
        assert not any(key.field.null for key in keys)


def test_cursor_pages_are_not_counted(api, clinic):
    client = api(clinic.house)

    with assert_data_queries(3):  # user, rows, audit event
        answer = client.get(APPOINTMENTS, {"cursor": "", "page_size": 2})

    assert list(answer.json()["data"]) == ["next", "previous", "results"]
    with assert_data_queries(3):
        client.get(answer.json()["data"]["next"])


def test_a_row_added_before_the_cursor_moves_no_row(api, clinic):
    client = api(clinic.house)
    first = client.get(APPOINTMENTS, {"cursor": "", "page_size": 2}).json()["data"]
    rest = Appointment.objects.filter(doctor=clinic.house).count() - 2
    latest = Appointment.objects.first()

    make_appointment(
        doctor=clinic.house,
        time_slot=TimeSlotFactory(
            doctor=clinic.house,
            starts_at=latest.starts_at.replace(year=latest.starts_at.year + 1),
            ends_at=latest.ends_at.replace(year=latest.ends_at.year + 1),
        ),
    )

    after = [row for _, page in follow(client, first["next"], "next") for row in page]
    assert len(after) == rest
    assert not {row["id"] for row in first["results"]} & set(after)


def test_a_row_that_leaves_the_list_does_not_move_the_cursor(api, clinic):
    client = api(clinic.house)
    asked = {"cursor": "", "page_size": 2, "status": "scheduled"}
    first = client.get(APPOINTMENTS, asked).json()["data"]
    every = rows(client.get(APPOINTMENTS, {"status": "scheduled"}))
    edge = Appointment.objects.get(pk=first["results"][-1]["id"])

    services.move(edge, "cancel", by=clinic.ada)

    after = [row for _, page in follow(client, first["next"], "next") for row in page]
    assert after == every[2:]


def test_the_cursor_survives_the_deactivation_of_its_row(api, clinic):
    client = api(clinic.ada)
    every = rows(client.get("/api/patients/"))
    first = client.get("/api/patients/", {"cursor": "", "page_size": 2}).json()["data"]

    deactivate(Patient.objects.get(pk=first["results"][-1]["id"]), by=clinic.ada)

    after = [row for _, page in follow(client, first["next"], "next") for row in page]
    assert after == every[2:]


def test_a_cursor_contains_no_personal_data(api, clinic):
    answer = api(clinic.ada).get("/api/patients/", {"cursor": "", "page_size": 2}).json()["data"]
    cursor = answer["next"].split("cursor=")[1].split("&")[0]
    assert unquote(cursor) == cursor  # needs no quoting in a URL

    told = signing.b64_decode(cursor.split(".")[0].encode())

    assert json.loads(told) == [False, [None, None, str(answer["results"][-1]["id"])]]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda cursor: cursor[:-1],
        lambda cursor: "A" + cursor,
        lambda cursor: cursor.replace(".", ":", 1),
        lambda cursor: "W2ZhbHNlLFsiMSJdXQ",
        lambda cursor: "\x00",
        lambda cursor: "é" * 5000,
    ],
)
def test_a_forged_cursor_is_refused(api, clinic, spoil):
    client = api(clinic.house)
    cursor = cursor_of(client)

    assert refused(client.get(APPOINTMENTS, {"cursor": spoil(cursor)}))
    assert client.get(APPOINTMENTS, {"cursor": cursor}).status_code == 200


def test_a_cursor_is_valid_for_one_reader_of_one_list(api, clinic):
    cursor = cursor_of(api(clinic.house))

    assert refused(api(clinic.house).get("/api/upcoming/", {"cursor": cursor}))
    assert refused(api(clinic.house).get("/api/appointments/api/appointments/", {"cursor": cursor}))
    assert refused(api(clinic.ada).get(APPOINTMENTS, {"cursor": cursor}))


@pytest.mark.parametrize("other", [{"page": 1}, {"ordering": "starts_at"}, {"ordering": ""}])
def test_a_cursor_excludes_page_and_ordering_parameters(api, clinic, other):
    client = api(clinic.house)

    assert refused(client.get(APPOINTMENTS, {"cursor": "", **other}))
    assert refused(client.get(APPOINTMENTS, {"cursor": cursor_of(client), **other}))


def test_a_nested_list_below_an_invisible_record_is_404_with_a_cursor(api, clinic):
    client = api(clinic.paul)

    for address in (
        f"/api/consultations/{clinic.consultation.pk}/vital-signs/",
        f"/api/patients/{clinic.jane.pk}/consultations/",
        f"/api/appointments/{clinic.appointment.pk}/history/",
        f"/api/patients/{clinic.jane.pk}/access-log/",
    ):
        assert client.get(address, {"cursor": ""}).status_code == 404, address


@pytest.mark.skipif(connection.vendor != "postgresql", reason="as of indexes")
def test_the_next_page_is_read_from_an_index(api, clinic):
    client = api(clinic.house)
    following = client.get(APPOINTMENTS, {"cursor": "", "page_size": 2}).json()["data"]["next"]

    with statements() as asked:
        client.get(following)
    *_, page = (one for one in asked if "LIMIT" in one[0] and "ORDER BY" in one[0])
    ways = ("seqscan", "bitmapscan", "sort", "incremental_sort")
    plan = explain(*page, **{f"enable_{way}": "off" for way in ways})

    assert "using appointments_of_doctor" in plan
    assert "starts_at <=" in plan.split("Index Cond:")[1].splitlines()[0]
    assert "Sort" not in plan


def cursor_of(client):
    answer = client.get(APPOINTMENTS, {"cursor": "", "page_size": 1}).json()["data"]
    return unquote(answer["next"].split("cursor=")[1].split("&")[0])


def refused(answer):
    body = answer.json()
    named = (answer.status_code, body["code"], list(body["errors"]))
    assert named == (400, "validation_error", ["cursor"])
    return True
