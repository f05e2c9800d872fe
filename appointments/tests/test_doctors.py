"""Endpoints that list and retrieve bookable doctors."""

import pytest

from accounts.tests.factories import DoctorFactory
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import (
    assert_data_queries,
    data,
    error_details,
    ids,
    make_slot,
    status_and_code,
)

pytestmark = pytest.mark.usefixtures("wednesday")

URL = "/api/doctors/"


def test_a_doctor_is_shown_with_the_next_free_slot(api, smith, jane, wednesday):
    make_slot("2026-12-01 09:00", doctor=smith)
    make_slot("2026-12-03 09:00", doctor=smith, withdrawn_at=wednesday)
    make_appointment(time_slot=make_slot("2026-12-04 09:00", doctor=smith), patient=jane)
    make_slot("2026-12-08 09:00", doctor=smith)
    make_slot("2026-12-07 09:00", doctor=smith)

    response = api(jane).get(f"{URL}{smith.pk}/")

    assert data(response) == {
        "id": smith.pk,
        "full_name": "John Smith",
        "specialization": "Cardiology",
        "avatar": None,
        "next_available": "2026-12-07T09:00:00+01:00",
    }


def test_a_doctor_without_a_free_slot_is_listed(api, smith, jane):
    [row] = data(api(jane).get(URL))["results"]

    assert (row["id"], row["next_available"]) == (smith.pk, None)


@pytest.mark.parametrize("who", ["jane", "smith", "nils", "ada"])
def test_every_signed_in_user_lists_bookable_doctors_by_name(
    *, who, api, request, smith, meyer, nils
):
    DoctorFactory(last_name="Abel", is_active=False)
    client = api(request.getfixturevalue(who))

    assert ids(client.get(URL)) == [meyer.pk, smith.pk]
    assert data(client.get(f"{URL}{smith.pk}/"))["full_name"] == "John Smith"
    assert status_and_code(client.get(f"{URL}{nils.pk}/")) == (404, "not_found")


def test_all_doctors_are_listed_if_no_verification_is_required(settings, api, smith, nils, jane):
    settings.DOCTOR_VERIFICATION_REQUIRED = False

    assert ids(api(jane).get(URL)) == [nils.pk, smith.pk]


def test_patients_and_admins_are_not_listed_as_doctors(api, smith, jane, omar, ada):
    client = api(jane)

    assert ids(client.get(URL)) == [smith.pk]
    assert status_and_code(client.get(f"{URL}{omar.pk}/")) == (404, "not_found")
    assert status_and_code(client.get(f"{URL}{ada.pk}/")) == (404, "not_found")


def test_an_anonymous_request_is_401(api, smith):
    assert status_and_code(api().get(URL)) == (401, "not_authenticated")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"specialization": "cardiology"}, ["smith"]),
        ({"specialization": "Cardio"}, []),
        ({"search": "smi"}, ["smith"]),
        ({"search": "ruth meyer"}, ["meyer"]),
        ({"search": "dermat"}, ["meyer"]),
        ({"search": "example.com"}, []),
    ],
)
def test_the_list_is_filtered(*, asked, found, api, smith, meyer, jane):
    names = {smith.pk: "smith", meyer.pk: "meyer"}

    response = api(jane).get(URL, asked)

    assert [names[pk] for pk in ids(response)] == found


def test_an_unknown_parameter_is_refused(api, smith, jane):
    response = api(jane).get(URL, {"email": smith.email})

    assert status_and_code(response) == (400, "unknown_parameter")
    assert list(error_details(response)[2]) == ["email"]


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_doctors_are_read_only(method, api, smith, ada):
    address = URL if method == "post" else f"{URL}{smith.pk}/"

    assert status_and_code(getattr(api(ada), method)(address)) == (405, "method_not_allowed")


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_queries_for_any_length(count, api, jane):
    for doctor in DoctorFactory.create_batch(count):
        make_slot(doctor=doctor)
    client = api(jane)

    with assert_data_queries(3):
        response = client.get(URL)

    assert data(response)["count"] == count


def test_a_detail_costs_two_queries(api, smith, jane):
    client = api(jane)

    with assert_data_queries(2):
        response = client.get(f"{URL}{smith.pk}/")

    assert data(response)["id"] == smith.pk
