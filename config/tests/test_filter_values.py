"""Filters that take several values: `?status=scheduled,confirmed`."""

import pytest

from appointments.tests.factories import make_appointment
from appointments.tests.helpers import data, error_details, ids
from config.access_report import iter_endpoints
from config.api.filters import ValuesFilter
from consultations.tests.factories import make_consultation

APPOINTMENTS = "/api/appointments/"


def test_a_row_matches_any_of_the_values(api, ada):
    rows = {status: make_appointment(status).pk for status in ("scheduled", "confirmed", "no_show")}
    client = api(ada)

    found = client.get(APPOINTMENTS, {"status": "scheduled,no_show", "ordering": "starts_at"})

    assert ids(found) == [rows["scheduled"], rows["no_show"]]
    assert ids(client.get(APPOINTMENTS, {"status": "confirmed"})) == [rows["confirmed"]]


def test_a_value_that_is_given_twice_counts_once(api, ada):
    row = make_appointment("confirmed")

    assert ids(api(ada).get(APPOINTMENTS, {"status": "confirmed,confirmed"})) == [row.pk]


def test_several_records_and_one_that_nobody_has(api, ada, smith, meyer):
    mine, other = make_appointment(doctor=smith), make_appointment(doctor=meyer)
    make_appointment()

    found = api(ada).get(
        APPOINTMENTS, {"doctor": f"{smith.pk},{meyer.pk},999999", "ordering": "starts_at"}
    )

    assert ids(found) == [mine.pk, other.pk]


def test_a_patient_gets_no_rows_of_others_by_naming_them(api, jane, omar):
    own = make_appointment(patient=jane)
    make_appointment(patient=omar)

    assert ids(api(jane).get(APPOINTMENTS, {"patient": f"{jane.pk},{omar.pk}"})) == [own.pk]


def test_derived_statuses_of_consultations(api, ada):
    rows = [make_consultation(), make_consultation(started=True), make_consultation(completed=True)]
    client = api(ada)

    for given, expected in [
        ("scheduled,completed", [rows[2].pk, rows[0].pk]),
        ("in_progress", [rows[1].pk]),
    ]:
        assert ids(client.get("/api/consultations/", {"status": given})) == expected


def test_consultations_of_appointments(api, ada):
    rows = [make_consultation(), make_consultation(), make_consultation()]
    given = ",".join(str(row.appointment_id) for row in rows[:2])

    found = api(ada).get("/api/consultations/", {"appointment": given})

    assert ids(found) == [rows[1].pk, rows[0].pk]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("scheduled,open", "Select a valid choice. open is not one of the available choices."),
        ("scheduled,", "Leave no value between the commas empty."),
        (",", "Leave no value between the commas empty."),
        (",".join(["scheduled"] * 21), "Give at most 20 values."),
    ],
)
def test_a_wrong_value_is_refused_by_name(api, ada, value, sentence):
    refused = api(ada).get(APPOINTMENTS, {"status": value})

    assert error_details(refused) == (400, "validation_error", {"status": [sentence]})


def test_every_choice_and_reference_takes_several_values():
    several, one = set(), set()
    for endpoint in iter_endpoints():
        filters = getattr(getattr(endpoint.view, "filterset_class", None), "base_filters", {})
        for name, each in filters.items():
            (several if isinstance(each, ValuesFilter) else one).add(name)

    assert several == {
        "status", "doctor", "patient", "consultation_type", "priority", "gender", "appointment",
    }  # fmt: skip
    assert one == {
        "date", "date_after", "date_before", "specialization", "available", "date_of_birth",
        "date_of_birth_after", "date_of_birth_before",
    }  # fmt: skip


def test_an_empty_value_filters_nothing(api, ada):
    make_appointment()

    assert data(api(ada).get(APPOINTMENTS, {"status": ""}))["count"] == 1
