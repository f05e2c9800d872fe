"""A patient is not registered twice by mistake."""

from datetime import date

import pytest
from django.urls import reverse

from accounts.models import AuditEvent
from appointments.tests.helpers import data, error_details, status_and_code
from patients.models import Patient
from patients.services import deactivate
from patients.tests.factories import PatientFactory

LIST = "/api/patients/"
BLAIR = {"first_name": "Blair", "last_name": "Conroy", "date_of_birth": "1975-10-26"}


@pytest.fixture
def blair(db):
    return PatientFactory(
        first_name="Blair",
        last_name="Conroy",
        date_of_birth=date(1975, 10, 26),
        phone="555 222",
        email="blair@example.org",
    )


@pytest.mark.parametrize(
    "names",
    [
        {},
        {"first_name": "BLAIR"},
        {"first_name": "Bl\u00e1ir", "last_name": "con roy"},
        {"first_name": "Conroy", "last_name": "Blair"},
    ],
)
def test_the_same_name_and_birth_date_is_refused_with_the_matches(api, smith, blair, names):
    response = api(smith).post(LIST, BLAIR | names)

    assert error_details(response)[:2] == (409, "possible_duplicate")
    assert list(response.json()["errors"]) == ["confirm_new"]
    assert response.json()["details"] == {
        "matches": [
            {
                "id": blair.pk,
                "display": f"Blair Conroy, born Oct. 26, 1975, no. {blair.pk}",
                "full_name": "Blair Conroy",
                "date_of_birth": "1975-10-26",
                "phone": "555 222",
                "email": "blair@example.org",
            }
        ]
    }
    assert Patient.objects.count() == 1


def test_another_person_is_registered_when_it_is_confirmed(api, smith, blair):
    made = data(api(smith).post(LIST, BLAIR | {"confirm_new": True}), 201)

    assert made["id"] != blair.pk
    assert status_and_code(api(smith).post(LIST, BLAIR | {"confirm_new": False}))[0] == 409


@pytest.mark.parametrize(
    "other",
    [
        {"date_of_birth": "1975-10-27"},
        {"date_of_birth": None},
        {"first_name": "Blaire"},
        {"first_name": ""},
        {"last_name": ""},
    ],
)
def test_a_person_who_differs_is_registered(api, smith, blair, other):
    data(api(smith).post(LIST, BLAIR | other), 201)


def test_a_person_with_one_name_is_compared_too(api, smith):
    PatientFactory(first_name="", last_name="Suharto", date_of_birth=date(1921, 6, 8))

    refused = api(smith).post(LIST, {"first_name": "Suharto", "date_of_birth": "1921-06-08"})

    assert status_and_code(refused) == (409, "possible_duplicate")


def test_a_closed_record_is_not_named(api, smith, ada, blair):
    deactivate(blair, by=ada)

    data(api(smith).post(LIST, BLAIR), 201)


def test_a_registration_of_their_own_tells_strangers_nothing(api, blair):
    body = BLAIR | {
        "username": "blair2",
        "email": "blair2@example.org",
        "password": "a long sentence of my own",
        "user_type": "patient",
    }

    data(api().post("/api/auth/register/", body), 201)


def test_the_patient_learns_who_was_told(api, smith, blair):
    api(smith).post(LIST, BLAIR)

    event = AuditEvent.objects.latest("pk")
    assert (event.event, event.outcome, event.patients) == (
        "patient.create", "refused", [blair.pk],
    )  # fmt: skip


def test_the_desk_shows_the_patient_and_asks(admin_client, blair):
    form = BLAIR | {"gender": "unknown"}
    page = reverse("admin:patients_patient_add")

    refused = admin_client.post(page, form)
    [sentence] = refused.context["adminform"].form.errors["confirm_new"]
    admin_client.post(page, form | {"confirm_new": "on"})

    assert f"Blair Conroy, born Oct. 26, 1975, no. {blair.pk}" in sentence
    assert Patient.objects.count() == 2


@pytest.mark.parametrize("count", [1, 3])
def test_the_check_costs_one_query(api, smith, django_assert_max_num_queries, count):
    for day in range(count):
        PatientFactory(first_name="Ann", last_name="Lee", date_of_birth=date(1980, 1, 1 + day))
    client = api(smith)

    with django_assert_max_num_queries(20) as asked:
        data(client.post(LIST, BLAIR), 201)

    searching = [one for one in asked.captured_queries if "sort_last_name" in one["sql"]
                 and "SELECT" in one["sql"] and " IN (" in one["sql"]]  # fmt: skip
    assert len(searching) == 1
