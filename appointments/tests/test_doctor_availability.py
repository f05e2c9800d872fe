"""A doctor's free slots, and never whose the others are."""

import pytest

from appointments.tests.factories import make_appointment
from appointments.tests.helpers import (
    assert_data_queries,
    data,
    error_details,
    make_slot,
    status_and_code,
)

pytestmark = pytest.mark.usefixtures("wednesday")

URL = "/api/doctor-availability/"


@pytest.fixture
def week(smith, meyer, omar, wednesday):
    """Free, taken, withdrawn and past slots of Dr. Smith's, and one of Dr. Meyer's."""
    make_appointment(
        time_slot=make_slot("2026-12-02 11:00", doctor=smith),
        patient=omar,
        reason_for_visit="Xylophobia",
    )
    make_slot("2026-12-02 09:00", doctor=smith)
    make_slot("2026-12-02 14:00", doctor=smith, withdrawn_at=wednesday)
    make_slot("2026-12-02 15:00", doctor=meyer)
    make_slot("2026-12-02 23:30", 29, doctor=smith)
    make_slot("2026-12-03 00:00", doctor=smith)
    make_slot("2026-12-07 09:00", doctor=smith)


def starts(response):
    return [(slot["date"], slot["start_time"][:5]) for slot in data(response)["slots"]]


def test_today_unless_asked_otherwise(api, week, smith, jane):
    response = api(jane).get(URL, {"doctor": smith.pk})

    told = data(response)
    slot = smith.time_slots.get(ends_at__minute=59)
    assert told == {
        "doctor": {"id": smith.pk, "full_name": "John Smith", "specialization": "Cardiology"},
        "date_after": "2026-12-02",
        "date_before": "2026-12-02",
        "slots": [
            {
                "id": slot.pk,
                "doctor": smith.pk,
                "doctor_name": "John Smith",
                "doctor_specialization": "Cardiology",
                "date": "2026-12-02",
                "start_time": "23:30:00",
                "end_time": "23:59:00",
                "starts_at": "2026-12-02T23:30:00+01:00",
                "ends_at": "2026-12-02T23:59:00+01:00",
                "duration_minutes": 29,
                "is_available": True,
            }
        ],
        "next_available": "2026-12-02T23:30:00+01:00",
    }


@pytest.mark.parametrize("who", ["jane", "smith", "meyer", "nils", "ada"])
def test_it_never_tells_of_a_patient(who, api, request, week, smith):
    response = api(request.getfixturevalue(who)).get(
        URL, {"doctor": smith.pk, "date_after": "2026-12-01", "date_before": "2026-12-31"}
    )

    assert set(data(response)) == {"doctor", "date_after", "date_before", "slots", "next_available"}
    assert set(data(response)["doctor"]) == {"id", "full_name", "specialization"}
    assert [sorted(slot) for slot in data(response)["slots"]] == [
        [
            "date",
            "doctor",
            "doctor_name",
            "doctor_specialization",
            "duration_minutes",
            "end_time",
            "ends_at",
            "id",
            "is_available",
            "start_time",
            "starts_at",
        ]
    ] * 3
    assert [word in response.content for word in (b"Omar", b"Haddad", b"Xylophobia")] == [False] * 3


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"date": "2026-12-03"}, [("2026-12-03", "00:00")]),
        ({"date": "2026-12-04"}, []),
        ({"date_after": "2026-12-07"}, [("2026-12-07", "09:00")]),
        ({"date_before": "2026-12-03"}, [("2026-12-03", "00:00")]),
        (
            {"date_after": "2026-12-02", "date_before": "2026-12-07"},
            [("2026-12-02", "23:30"), ("2026-12-03", "00:00"), ("2026-12-07", "09:00")],
        ),
    ],
)
def test_the_days_asked_for(*, asked, found, api, week, smith, jane):
    response = api(jane).get(URL, asked | {"doctor": smith.pk})

    assert starts(response) == found
    assert data(response)["next_available"] == "2026-12-02T23:30:00+01:00"


def test_a_doctor_without_a_free_slot_has_no_next_one(api, smith, jane):
    told = data(api(jane).get(URL, {"doctor": smith.pk}))

    assert (told["slots"], told["next_available"]) == ([], None)


def test_31_days_are_the_most(api, week, smith, jane):
    client = api(jane)
    asked = {"doctor": smith.pk, "date_after": "2026-12-01"}

    most = client.get(URL, asked | {"date_before": "2026-12-31"})
    too_many = client.get(URL, asked | {"date_before": "2027-01-01"})

    assert len(starts(most)) == 3
    assert error_details(too_many)[::2] == (400, {"date_before": ["Choose 1 to 31 days."]})


@pytest.mark.parametrize(
    ("asked", "expected", "field"),
    [
        ({"doctor": None}, "validation_error", "doctor"),
        ({"doctor": "x"}, "validation_error", "doctor"),
        ({"doctor": 9_999_999}, "validation_error", "doctor"),
        ({"date": "x"}, "validation_error", "date"),
        ({"date": "9999-12-31"}, "validation_error", "date"),
        (
            {"date_after": "2026-12-08", "date_before": "2026-12-07"},
            "validation_error",
            "date_before",
        ),
        ({"date": "2026-12-08", "date_after": "2026-12-07"}, "validation_error", "date_after"),
        ({"patient": 1}, "unknown_parameter", "patient"),
        ({"page": 1}, "unknown_parameter", "page"),
    ],
)
def test_a_bad_parameter_is_refused_under_its_name(*, asked, expected, field, api, smith, jane):
    query = {
        name: value for name, value in ({"doctor": smith.pk} | asked).items() if value is not None
    }

    response = api(jane).get(URL, query)

    assert status_and_code(response) == (400, expected)
    assert list(error_details(response)[2]) == [field]


def test_a_doctor_who_is_not_bookable_is_as_if_he_did_not_exist(api, nils, jane):
    make_slot("2026-12-02 15:00", doctor=nils)

    response = api(jane).get(URL, {"doctor": nils.pk})

    assert error_details(response)[::2] == (
        400,
        {"doctor": [f'Invalid pk "{nils.pk}" - object does not exist.']},
    )


def test_a_stranger_is_asked_who_he_is(api, week, smith):
    assert status_and_code(api().get(URL, {"doctor": smith.pk})) == (401, "not_authenticated")


@pytest.mark.parametrize("count", [1, 3])
def test_it_costs_the_same_however_many_there_are(count, api, smith, jane):
    for hour in range(count):
        make_slot(f"2026-12-02 1{hour + 1}:00", doctor=smith)
    client = api(jane)

    with assert_data_queries(3):  # who asks, the doctor and when he is next free, the slots
        response = client.get(URL, {"doctor": smith.pk})

    assert len(starts(response)) == count
