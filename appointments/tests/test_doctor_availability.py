"""The availability endpoint lists free slots and reveals no patient."""

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
    """Available, taken, withdrawn and past slots of Dr. Smith, and one slot of Dr. Meyer."""
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


def test_the_default_day_is_today(api, week, smith, jane):
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
def test_availability_reveals_no_patient(who, api, request, week, smith):
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
def test_slots_of_the_requested_days_are_listed(*, asked, found, api, week, smith, jane):
    response = api(jane).get(URL, asked | {"doctor": smith.pk})

    assert starts(response) == found
    assert data(response)["next_available"] == "2026-12-02T23:30:00+01:00"


def test_next_available_is_null_without_free_slots(api, smith, jane):
    told = data(api(jane).get(URL, {"doctor": smith.pk}))

    assert (told["slots"], told["next_available"]) == ([], None)


def test_a_range_is_limited_to_31_days(api, week, smith, jane):
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
def test_an_invalid_parameter_is_refused_by_name(*, asked, expected, field, api, smith, jane):
    query = {
        name: value for name, value in ({"doctor": smith.pk} | asked).items() if value is not None
    }

    response = api(jane).get(URL, query)

    assert status_and_code(response) == (400, expected)
    assert list(error_details(response)[2]) == [field]


def test_an_unbookable_doctor_and_a_missing_one_are_both_refused(api, nils, jane):
    make_slot("2026-12-02 15:00", doctor=nils)

    response = api(jane).get(URL, {"doctor": nils.pk})

    assert error_details(response)[::2] == (
        400,
        {"doctor": ["This doctor takes no appointments at present. Choose another one."]},
    )


def test_an_anonymous_request_is_401(api, week, smith):
    assert status_and_code(api().get(URL, {"doctor": smith.pk})) == (401, "not_authenticated")


@pytest.mark.parametrize("count", [1, 3])
def test_availability_costs_the_same_queries_for_any_number_of_slots(count, api, smith, jane):
    for hour in range(count):
        make_slot(f"2026-12-02 1{hour + 1}:00", doctor=smith)
    client = api(jane)

    with assert_data_queries(3):  # user, doctor with the next free slot, slots
        response = client.get(URL, {"doctor": smith.pk})

    assert len(starts(response)) == count
