"""The history of an appointment, and what each role sees of it."""

from datetime import timedelta

import pytest

from appointments import clock, services
from appointments.models import AppointmentHistory
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import (
    all_rows,
    assert_data_queries,
    data,
    error_details,
    make_slot,
    status_and_code,
)

pytestmark = pytest.mark.usefixtures("wednesday")


def url_of(appointment):
    return f"/api/appointments/{appointment.pk}/history/"


@pytest.fixture
def visit(smith, jane):
    """Jane's appointment with Dr. Smith on Monday at 9:00."""
    return make_appointment(time_slot=make_slot("2026-12-07 09:00", doctor=smith), patient=jane)


def test_history_is_ordered_oldest_first(api, visit, wednesday, smith, jane):
    tuesday = make_slot("2026-12-08 09:00", doctor=smith)
    with clock.frozen_at(wednesday + timedelta(hours=1)):
        services.update(visit, by=smith, symptoms="Xylophobia", doctor_notes="Quixotic")
        services.move(visit, "reschedule", by=jane, time_slot=tuesday, reason="Work")

    response = api(smith).get(url_of(visit))

    told = data(response)
    pks = list(visit.history.values_list("pk", flat=True))
    assert (told["count"], told["next"], told["previous"]) == (3, None, None)
    assert told["results"] == [
        {
            "id": pks[0],
            "action": "book",
            "from_status": "",
            "to_status": "scheduled",
            "from_starts_at": None,
            "to_starts_at": "2026-12-07T09:00:00+01:00",
            "changes": [],
            "reason": "",
            "changed_by": jane.pk,
            "changed_by_name": "Jane Doe",
            "created_at": "2026-12-02T10:00:00+01:00",
        },
        {
            "id": pks[1],
            "action": "updated",
            "from_status": "scheduled",
            "to_status": "scheduled",
            "from_starts_at": "2026-12-07T09:00:00+01:00",
            "to_starts_at": "2026-12-07T09:00:00+01:00",
            "changes": ["doctor_notes", "symptoms"],
            "reason": "",
            "changed_by": smith.pk,
            "changed_by_name": "John Smith",
            "created_at": "2026-12-02T11:00:00+01:00",
        },
        {
            "id": pks[2],
            "action": "reschedule",
            "from_status": "scheduled",
            "to_status": "scheduled",
            "from_starts_at": "2026-12-07T09:00:00+01:00",
            "to_starts_at": "2026-12-08T09:00:00+01:00",
            "changes": [],
            "reason": "Work",
            "changed_by": jane.pk,
            "changed_by_name": "Jane Doe",
            "created_at": "2026-12-02T11:00:00+01:00",
        },
    ]


def test_history_contains_no_text_of_changed_fields(api, visit, smith):
    services.update(visit, by=smith, symptoms="Xylophobia", doctor_notes="Quixotic")
    services.update(visit, by=smith, symptoms="Zoanthropy")

    told = api(smith).get(url_of(visit)).content

    assert [word in told for word in (b"Xylophobia", b"Quixotic", b"Zoanthropy")] == [False] * 3


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("jane", 200),
        ("smith", 200),
        ("ada", 200),
        ("omar", 404),
        ("meyer", 404),
        ("nils", 403),
        ("anonymous", 401),
    ],
)
def test_history_is_visible_to_readers_of_the_appointment(who, expected, api, request, visit):
    client = api(None if who == "anonymous" else request.getfixturevalue(who))

    response = client.get(url_of(visit))

    assert response.status_code == expected


def test_the_history_of_an_invisible_appointment_is_404(api, visit, omar):
    client = api(omar)

    anothers = client.get(url_of(visit)).json() | {"request_id": None}
    missing = client.get(f"/api/appointments/{visit.pk + 1000}/history/").json()

    assert anothers == missing | {"request_id": None}


def test_history_belongs_to_one_appointment(api, visit, smith):
    make_appointment("confirmed", doctor=smith)

    told = data(api(smith).get(url_of(visit)))

    assert [entry["id"] for entry in told["results"]] == [visit.history.get().pk]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_history_is_read_only(method, api, visit, ada):
    before = all_rows(AppointmentHistory)

    response = getattr(api(ada), method)(url_of(visit))

    assert status_and_code(response) == (405, "method_not_allowed")
    assert all_rows(AppointmentHistory) == before


def test_history_is_paginated_and_takes_no_other_parameter(api, visit, smith):
    services.move(visit, "confirm", by=smith)
    client = api(smith)

    page = data(client.get(url_of(visit), {"page_size": 1, "page": 2}))
    refused = client.get(url_of(visit), {"ordering": "created_at"})

    assert [entry["action"] for entry in page["results"]] == ["confirm"]
    assert status_and_code(refused) == (400, "unknown_parameter")
    assert list(error_details(refused)[2]) == ["ordering"]


def test_a_change_of_doctor_notes_is_hidden_from_the_patient(api, visit, smith, jane):
    services.update(visit, by=smith, symptoms="Xylophobia", doctor_notes="Quixotic")

    told = data(api(jane).get(url_of(visit)))["results"]

    assert [entry["changes"] for entry in told] == [[], ["symptoms"]]


def test_a_change_of_doctor_notes_alone_is_no_entry_for_the_patient(api, visit, smith, jane, ada):
    services.update(visit, by=smith, doctor_notes="Quixotic")
    services.update(visit, by=ada, doctor_notes="Quieter", status="confirmed")
    everything = ["book", "updated", "updated", "confirm"]

    for reader, actions in ((jane, ["book", "confirm"]), (smith, everything), (ada, everything)):
        told = data(api(reader).get(url_of(visit)))

        assert [entry["action"] for entry in told["results"]] == actions
        assert told["count"] == len(actions)
    assert data(api(jane).get(url_of(visit), {"page_size": 1, "page": 2}))["next"] is None


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_queries_for_any_length(count, api, visit, smith):
    for number in range(count - 1):
        services.update(visit, by=smith, doctor_notes=f"Note {number}")
    client = api(smith)

    with assert_data_queries(4):  # user, count, page, and the audit event
        response = client.get(url_of(visit))

    assert data(response)["count"] == count
