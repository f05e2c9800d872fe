"""Which time slots each role sees, and their filters and availability."""

import pytest

from appointments import clock, services
from appointments.models import Appointment
from appointments.tests.factories import TimeSlotFactory, make_appointment
from appointments.tests.helpers import (
    assert_data_queries,
    clinic_time,
    data,
    error_details,
    ids,
    make_slot,
    status_and_code,
)

pytestmark = pytest.mark.usefixtures("wednesday")


URL = "/api/time-slots/"


def url_of(slot):
    return f"{URL}{slot.pk}/"


# --- Visibility -----------------------------------------------------------------------------


@pytest.fixture
def slots(smith, meyer, nils, jane, wednesday):
    """Slots in every state, by name."""
    taken = make_slot("2026-12-08 09:00", doctor=smith)
    make_appointment(time_slot=taken, patient=jane)
    return {
        "free": make_slot("2026-12-07 09:00", doctor=smith),
        "taken": taken,
        "past": make_slot("2026-12-01 09:00", doctor=smith),
        "withdrawn": make_slot("2026-12-09 09:00", doctor=smith, withdrawn_at=wednesday),
        "meyer's": make_slot("2026-12-10 09:00", doctor=meyer),
        "unverified": make_slot("2026-12-11 09:00", doctor=nils),
    }


IN_LIST = {
    "jane": ["free", "meyer's"],
    "omar": ["free", "meyer's"],
    "smith": ["past", "free", "taken"],
    "meyer": ["meyer's"],
    "nils": ["unverified"],
    "ada": ["past", "free", "taken", "meyer's", "unverified"],
}


BY_ID = IN_LIST | {
    "jane": ["past", "free", "taken", "meyer's"],
    "omar": ["past", "free", "taken", "meyer's"],
}


@pytest.mark.parametrize("who", IN_LIST)
def test_each_role_lists_its_visible_slots(who, api, request, slots):
    names = {slot.pk: name for name, slot in slots.items()}

    response = api(request.getfixturevalue(who)).get(URL)

    assert [names[pk] for pk in ids(response)] == IN_LIST[who]


@pytest.mark.parametrize("who", BY_ID)
def test_each_role_retrieves_its_visible_slots(who, api, request, slots):
    client = api(request.getfixturevalue(who))

    answers = {name: client.get(url_of(slot)) for name, slot in slots.items()}

    seen = {name for name, answer in answers.items() if answer.status_code == 200}
    assert seen == set(BY_ID[who])
    invisible = {
        str(answer.json() | {"request_id": None})
        for name, answer in answers.items()
        if name not in seen
    }
    missing = client.get(f"{URL}9999999/").json() | {"request_id": None}
    assert invisible == {str(missing)}


def test_an_anonymous_request_is_401(api, slots):
    assert status_and_code(api().get(URL)) == (401, "not_authenticated")
    assert status_and_code(api().get(url_of(slots["free"]))) == (401, "not_authenticated")


def test_availability_is_computed(api, slots, ada):
    available = {row["id"]: row["is_available"] for row in data(api(ada).get(URL))["results"]}

    assert {name: available.get(slot.pk) for name, slot in slots.items()} == {
        "free": True,
        "taken": False,
        "past": False,
        "withdrawn": None,
        "meyer's": True,
        "unverified": False,
    }


def test_slots_of_a_deactivated_doctor_are_not_offered(api, slots, meyer, jane):
    type(meyer).objects.filter(pk=meyer.pk).update(is_active=False)
    client = api(jane)

    assert ids(client.get(URL)) == [slots["free"].pk]
    assert status_and_code(client.get(url_of(slots["meyer's"]))) == (404, "not_found")


def test_a_cancellation_makes_the_slot_available_again(api, slots, smith, jane):
    client = api(jane)

    services.move(Appointment.objects.get(), "cancel", by=jane)

    assert data(client.get(url_of(slots["taken"])))["is_available"] is True


def test_a_taken_slot_does_not_reveal_the_patient(api, slots, omar, smith):
    for person in (omar, smith):
        response = api(person).get(url_of(slots["taken"]))

        assert set(data(response)) == {
            "id",
            "doctor",
            "doctor_name",
            "doctor_specialization",
            "date",
            "start_time",
            "end_time",
            "starts_at",
            "ends_at",
            "duration_minutes",
            "is_available",
        }
        assert b"Jane" not in response.content


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"available": "true"}, ["free", "meyer's"]),
        ({"available": "false"}, ["past", "taken", "unverified"]),
        ({"date": "2026-12-07"}, ["free"]),
        ({"date": "2026-12-09"}, []),
        ({"date_after": "2026-12-08"}, ["taken", "meyer's", "unverified"]),
        ({"date_before": "2026-12-07"}, ["past", "free"]),
        ({"date_after": "2026-12-07", "date_before": "2026-12-08"}, ["free", "taken"]),
        ({"specialization": "dermatology"}, ["meyer's"]),
        ({"specialization": "Derma"}, []),
        ({"doctor": 9_999_999}, []),
    ],
)
def test_the_list_is_filtered(asked, found, api, ada, slots):
    names = {slot.pk: name for name, slot in slots.items()}

    response = api(ada).get(URL, asked)

    assert [names[pk] for pk in ids(response)] == found


def test_the_list_is_filtered_by_doctor(api, ada, slots, meyer):
    assert ids(api(ada).get(URL, {"doctor": meyer.pk})) == [slots["meyer's"].pk]


def test_no_filter_shows_a_patient_more_slots(api, jane, slots, nils, smith):
    client = api(jane)

    assert ids(client.get(URL, {"available": "false"})) == []
    assert ids(client.get(URL, {"doctor": nils.pk})) == []
    assert ids(client.get(URL, {"doctor": smith.pk})) == [slots["free"].pk]


@pytest.mark.parametrize(
    ("query", "expected", "field"),
    [
        ("available=yes", "validation_error", "available"),
        ("date=x", "validation_error", "date"),
        ("doctor=x", "validation_error", "doctor"),
        ("is_available=true", "unknown_parameter", "is_available"),
        ("ordering=starts_at", "unknown_parameter", "ordering"),
        ("search=smith", "unknown_parameter", "search"),
    ],
)
def test_an_invalid_parameter_is_refused_by_name(*, query, expected, field, api, jane, slots):
    response = api(jane).get(f"{URL}?{query}")

    assert status_and_code(response) == (400, expected)
    assert list(error_details(response)[2]) == [field]


# --- Query counts ---------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("who", ["jane", "smith", "nils", "ada"])
def test_the_list_costs_the_same_queries_for_any_length(who, count, api, request, smith):
    person = request.getfixturevalue(who)
    for _ in range(count):
        TimeSlotFactory(doctor=person if who == "nils" else smith)
    client = api(person)

    with assert_data_queries(3):
        response = client.get(URL)

    assert data(response)["count"] == count


@pytest.mark.parametrize("who", ["jane", "smith", "ada"])
def test_a_detail_costs_two_queries(who, api, request, smith):
    slot, client = make_slot(doctor=smith), api(request.getfixturevalue(who))

    with assert_data_queries(2):
        response = client.get(url_of(slot))

    assert data(response)["id"] == slot.pk


def test_a_patient_no_longer_sees_a_slot_after_its_start(api, smith, jane):
    slot, client = make_slot("2026-12-07 09:00", doctor=smith), api(jane)

    with clock.frozen_at(clinic_time("2026-12-07 08:59")):
        before = ids(client.get(URL))
    with clock.frozen_at(clinic_time("2026-12-07 09:00")):
        after = ids(client.get(URL))

    assert (before, after) == ([slot.pk], [])
