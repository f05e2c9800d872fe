"""Filters and search of the consultation list."""

import pytest

from appointments import clock
from appointments import services as appointments
from appointments.lifecycle import Status
from appointments.models import Appointment
from appointments.tests.factories import TimeSlotFactory, make_appointment_of_today, on_the_day
from appointments.tests.helpers import (
    assert_data_queries,
    clinic_time,
    data,
    error_details,
    ids,
)
from consultations import services
from consultations.tests.factories import CONSULTATION_TEXTS, make_consultation

LIST = "/api/consultations/"


MISSING_ID = 999_999


def url(consultation):
    return f"{LIST}{consultation if isinstance(consultation, int) else consultation.pk}/"


# --- Filters and search ---------------------------------------------------------------------


def one_of_each(doctor):
    """Consultations by their derived status; each status is reached in every possible way."""
    called_off = make_consultation(doctor=doctor)
    appointments.move(called_off.appointment, "cancel", by=doctor)
    called_off_midway = make_consultation(doctor=doctor, started=True)
    appointments.move(called_off_midway.appointment, "cancel", by=doctor)
    missed = make_consultation(doctor=doctor)
    with clock.frozen_at(missed.appointment.starts_at):
        appointments.move(missed.appointment, "no_show", by=doctor)
    done_elsewhere = make_consultation(doctor=doctor)
    with on_the_day(done_elsewhere.appointment):
        appointments.move(done_elsewhere.appointment, "complete", by=doctor)

    def make_walk_in():
        return services.open_walk_in(
            patient=missed.patient, doctor=doctor, chief_complaint="A cut", by=doctor
        )

    return {
        "scheduled": [make_consultation(doctor=doctor), make_walk_in(), done_elsewhere],
        "in_progress": [
            make_consultation(doctor=doctor, started=True),
            services.start(make_walk_in(), by=doctor),
        ],
        "completed": [
            make_consultation(doctor=doctor, completed=True),
            make_consultation(doctor=doctor, started=True, completed=True),
            services.complete(make_walk_in(), by=doctor),
        ],
        "cancelled": [called_off, called_off_midway, missed],
    }


def test_the_status_filter_matches_the_derived_status(api, smith):
    expected = one_of_each(smith)

    found = {status: set(ids(api(smith).get(LIST, {"status": status}))) for status in expected}

    assert found == {status: {one.pk for one in ones} for status, ones in expected.items()}
    shown = {row["id"]: row["status"] for row in data(api(smith).get(LIST))["results"]}
    assert shown == {one.pk: status for status, ones in expected.items() for one in ones}


def test_an_ended_consultation_is_completed_for_any_appointment_status(api, smith, jane):
    done = make_consultation(patient=jane, doctor=smith, completed=True)
    Appointment.objects.filter(pk=done.appointment_id).update(status=Status.CANCELLED)

    found = {
        status: ids(api(smith).get(LIST, {"status": status}))
        for status in ("scheduled", "in_progress", "completed", "cancelled")
    }

    assert found == {"scheduled": [], "in_progress": [], "completed": [done.pk], "cancelled": []}
    assert data(api(smith).get(url(done)))["status"] == "completed"


def test_the_list_is_filtered_by_patient_and_doctor(api, ada, smith, meyer, jane):
    first = make_consultation(patient=jane, doctor=smith)
    second = make_consultation(patient=jane, doctor=meyer)
    third = make_consultation(doctor=smith)

    assert ids(api(ada).get(LIST, {"patient": jane.pk})) == [second.pk, first.pk]
    assert ids(api(ada).get(LIST, {"doctor": smith.pk})) == [third.pk, first.pk]
    both = {"patient": jane.pk, "doctor": smith.pk}
    assert ids(api(ada).get(LIST, both)) == [first.pk]
    assert ids(api(ada).get(LIST, {"patient": MISSING_ID})) == []
    assert ids(api(ada).get(LIST, {"doctor": 2**80})) == []


def test_a_filter_shows_no_invisible_consultation(api, meyer, visit):
    for parameters in ({"patient": visit.patient_id}, {"doctor": visit.doctor_id}):
        assert ids(api(meyer).get(LIST, parameters)) == []


@pytest.mark.usefixtures("wednesday")
def test_the_date_filter_uses_start_or_appointment_or_creation(api, smith, jane):
    slot = TimeSlotFactory(
        doctor=smith,
        starts_at=clinic_time("2026-12-07 00:00"),
        ends_at=clinic_time("2026-12-07 00:30"),
    )
    planned = make_consultation(time_slot=slot, patient=jane)
    written = services.open_walk_in(patient=jane, doctor=smith, chief_complaint="A cut", by=smith)
    late = make_consultation(appointment=make_appointment_of_today(doctor=smith, patient=jane))
    with clock.frozen_at(clinic_time("2026-12-09 23:59")):
        services.start(late, by=smith)
    client = api(smith)

    def found(**parameters):
        return ids(client.get(LIST, parameters))

    assert found(date="2026-12-02") == [written.pk]
    assert found(date="2026-12-06") == []
    assert found(date="2026-12-07") == [planned.pk]
    assert found(date="2026-12-09") == [late.pk]
    assert found(date="2026-12-10") == []
    assert found(date_after="2026-12-07") == [late.pk, planned.pk]
    assert found(date_before="2026-12-07") == [written.pk, planned.pk]
    assert found(date_after="2026-12-03", date_before="2026-12-08") == [planned.pk]
    assert found(date_after="2026-12-10") == []
    assert found(date_before="2026-12-01") == []


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"status": "open"}, "validation_error"),
        ({"status": "no_show"}, "validation_error"),
        ({"patient": "1.9"}, "validation_error"),
        ({"doctor": "smith"}, "validation_error"),
        ({"date": "02.12.2026"}, "validation_error"),
        ({"date_after": "2026-13-01"}, "validation_error"),
        ({"date_before": "9999-12-31"}, "validation_error"),
        ({"ordering": "doctor_notes"}, "validation_error"),
        ({"doctor_notes": "anxious"}, "unknown_parameter"),
        ({"appointment": "x"}, "validation_error"),
        ({"status": "open,completed"}, "validation_error"),
        ({"status": "completed,"}, "validation_error"),
        ({"patient": ",".join(["1"] * 21)}, "validation_error"),
    ],
)
def test_an_invalid_parameter_is_refused_by_name(api, smith, visit, parameters, expected):
    status, word, errors = error_details(api(smith).get(LIST, parameters))

    assert (status, word, list(errors)) == (400, expected, list(parameters))


@pytest.mark.parametrize("words", ["jane", "doe jane", "john smith", "STAIRS", "essential doe"])
def test_search_matches_people_complaint_and_diagnosis(api, ada, smith, visit, words):
    services.update_text(visit, by=smith, **CONSULTATION_TEXTS | {"follow_up_date": None})
    make_consultation()

    assert ids(api(ada).get(LIST, {"search": words})) == [visit.pk]


@pytest.mark.parametrize("words", ["anxious", "work", "probable", "diary", "weeks", "doe anxious"])
def test_search_does_not_match_doctor_notes_or_other_fields(api, smith, visit, words):
    services.update_text(visit, by=smith, **CONSULTATION_TEXTS | {"follow_up_date": None})

    for reader in (smith, visit.patient):
        assert ids(api(reader).get(LIST, {"search": words})) == []


# --- Query counts ---------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
def test_a_filtered_list_costs_no_more_queries(api, smith, jane, count):
    for _ in range(count):
        make_consultation(patient=jane, doctor=smith, started=True)
    client = api(smith)
    parameters = {"status": "in_progress", "date_after": "2020-01-01", "search": "jane"}

    with assert_data_queries(4):
        response = client.get(LIST, parameters)

    assert data(response)["count"] == count
