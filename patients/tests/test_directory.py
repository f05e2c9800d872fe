"""The patient list: permissions, fields, search, filters and ordering."""

from datetime import UTC, date, datetime

import pytest

from accounts.models import Action, AuditEvent
from appointments.tests.helpers import (
    assert_data_queries,
    data,
    error_details,
    ids,
    status_and_code,
)
from patients.services import deactivate
from patients.tests.factories import PatientFactory

LIST = "/api/patients/"
IN_A_ROW = {
    "email_verified",
    "contact_email",
    "id",
    "username",
    "email",
    "first_name",
    "last_name",
    "display",
    "full_name",
    "user_type",
    "phone",
    "date_of_birth",
    "gender",
    "emergency_contact",
    "emergency_contact_phone",
    "emergency_contact_relation",
    "created_at",
    "updated_at",
}


@pytest.mark.usefixtures("nils")
def test_doctors_and_admins_list_every_patient(api, smith, ada, jane, omar):
    for reader in (smith, ada):
        response = api(reader).get(LIST)

        assert ids(response) == [jane.pk, omar.pk]
        assert data(response)["count"] == 2


def test_both_mounts_return_the_same_list(api, smith, jane, omar):
    response = api(smith).get("/api/patients/api/patients/")

    assert data(response) == data(api(smith).get(LIST)) | {"next": None}
    assert ids(response) == [jane.pk, omar.pk]


def test_other_roles_cannot_list_patients(api, nils, jane, omar):
    answers = [status_and_code(api(reader).get(LIST)) for reader in (None, jane, nils)]

    assert answers == [
        (401, "not_authenticated"),
        (403, "permission_denied"),
        (403, "license_not_verified"),
    ]


def test_a_row_contains_no_clinical_or_private_field(api, smith, jane):
    response = api(smith).get(LIST)

    assert set(data(response)["results"][0]) == IN_A_ROW
    for hidden in (jane.address, jane.medical_history, jane.allergies):
        assert hidden not in response.content.decode()


def test_a_deactivated_patient_is_not_listed(api, smith, ada, jane, omar):
    deactivate(omar, by=ada)

    for reader in (smith, ada):
        assert ids(api(reader).get(LIST)) == [jane.pk]


@pytest.mark.parametrize(
    "words",
    ["jane", "DOE", "doe jane", "jane@example.com", "example.com", "1234567", "jane 30"],
)
def test_search_matches_name_email_and_phone(api, smith, jane, omar, words):
    assert ids(api(smith).get(LIST, {"search": words})) == [jane.pk]


@pytest.mark.parametrize("words", ["jane haddad", "penicillin", "asthma", "springfield", "max"])
def test_search_requires_every_word_and_matches_no_other_field(api, smith, jane, omar, words):
    assert ids(api(smith).get(LIST, {"search": words})) == []


def test_a_search_by_post_answers_as_the_list(api, smith, jane, omar):
    client = api(smith)
    bodies = [
        {},
        {"search": "haddad"},
        {"gender": "female"},
        {"date_of_birth_before": "1980-01-01"},
        {"search": "a", "ordering": "-last_name"},
    ]

    for body in bodies:
        answer = client.post(f"{LIST}search/", body)
        assert data(answer)["results"] == data(client.get(LIST, body))["results"]
    assert ids(client.post(f"{LIST}search/", {"search": "haddad"})) == [omar.pk]


def test_a_search_by_post_has_pages_without_names_in_their_addresses(api, smith, jane, omar):
    body = {"search": "example"}

    first = data(api(smith).post(f"{LIST}search/?page_size=1", body))
    second = data(api(smith).post(first["next"], body))

    assert first["count"] == 2
    assert "search=" not in first["next"]
    assert {first["results"][0]["id"], second["results"][0]["id"]} == {jane.pk, omar.pk}


def test_a_search_by_post_is_audited_like_the_list(api, smith, jane, omar):
    api(smith).post(f"{LIST}search/", {"search": "haddad"})

    event = AuditEvent.objects.latest("pk")
    assert (event.event, event.action) == ("patient.search", Action.READ)
    assert event.patients == [omar.pk]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"name": "jane"}, "name"),
        ({"search": "a" * 201}, "search"),
        ({"search": "a " * 11}, "search"),
        ({"gender": "f"}, "gender"),
        ({"date_of_birth": "yesterday"}, "date_of_birth"),
        ({"ordering": "email"}, "ordering"),
    ],
)
def test_a_search_by_post_refuses_what_it_does_not_know(api, smith, jane, body, name):
    answer = api(smith).post(f"{LIST}search/", body)

    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [name]


def test_filters_in_the_address_of_a_search_by_post_are_refused(api, smith):
    answer = api(smith).post(f"{LIST}search/?search=jane", {})

    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["search"])


def test_a_search_by_post_with_a_cursor_has_the_default_order(api, smith, jane, omar):
    client = api(smith)

    refused = client.post(f"{LIST}search/?cursor=", {"ordering": "created_at"})

    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["cursor"])
    assert len(data(client.post(f"{LIST}search/?cursor=", {}))["results"]) == 2


def test_search_does_not_match_generated_usernames(api, smith):
    PatientFactory(username="patient-a1b2c3d4", email="", first_name="Ruth", last_name="Meyer")

    assert ids(api(smith).get(LIST, {"search": "patient"})) == []


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"gender": "female"}, ["Jane"]),
        ({"gender": "other"}, []),
        ({"date_of_birth": "1990-04-12"}, ["Jane"]),
        ({"date_of_birth": "1990-04-13"}, []),
        ({"date_of_birth_after": "1990-04-12"}, ["Jane"]),
        ({"date_of_birth_after": "1990-04-13"}, []),
        ({"date_of_birth_before": "1975-01-31"}, ["Omar"]),
        ({"date_of_birth_before": "1975-01-30"}, []),
        ({"date_of_birth_after": "1975-01-31", "date_of_birth_before": "1990-04-12"}, "both"),
        ({"gender": "male", "date_of_birth_after": "1980-01-01"}, []),
    ],
)
@pytest.mark.usefixtures("jane", "omar")
def test_filters_narrow_the_list(api, smith, parameters, found):
    rows = data(api(smith).get(LIST, parameters))["results"]

    expected = ["Jane", "Omar"] if found == "both" else found
    assert [row["first_name"] for row in rows] == expected


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"gender": "f"}, "validation_error"),
        ({"date_of_birth": "12.04.1990"}, "validation_error"),
        ({"date_of_birth_after": "1990-13-01"}, "validation_error"),
        ({"date_of_birth_before": "yesterday"}, "validation_error"),
        ({"ordering": "phone"}, "validation_error"),
        ({"page_size": "0"}, "validation_error"),
        ({"allergies": "Penicillin"}, "unknown_parameter"),
        ({"is_active": "false"}, "unknown_parameter"),
    ],
)
def test_an_invalid_parameter_is_refused_by_name(api, smith, jane, parameters, expected):
    status, word, errors = error_details(api(smith).get(LIST, parameters))

    assert (status, word, list(errors)) == (400, expected, list(parameters))


def three_patients():
    """Three patients who sort differently by each field."""
    return {
        name: PatientFactory(
            first_name=name, last_name=last_name, created_at=datetime(year, 1, 1, tzinfo=UTC)
        )
        for name, last_name, year in [
            ("Ben", "Zander", 2023),
            ("Cleo", "Adler", 2025),
            ("Anna", "Zander", 2024),
        ]
    }


@pytest.mark.parametrize(
    ("parameters", "order"),
    [
        ({}, ["Cleo", "Anna", "Ben"]),
        ({"ordering": "last_name"}, ["Cleo", "Anna", "Ben"]),
        ({"ordering": "-last_name"}, ["Anna", "Ben", "Cleo"]),
        ({"ordering": "first_name"}, ["Anna", "Ben", "Cleo"]),
        ({"ordering": "-created_at"}, ["Cleo", "Anna", "Ben"]),
        ({"ordering": "created_at"}, ["Ben", "Anna", "Cleo"]),
        ({"ordering": "-last_name,-first_name"}, ["Ben", "Anna", "Cleo"]),
    ],
)
def test_the_list_is_ordered_as_requested_or_by_last_name(api, smith, parameters, order):
    three_patients()

    rows = data(api(smith).get(LIST, parameters))["results"]

    assert [row["first_name"] for row in rows] == order


def test_pages_neither_repeat_nor_lose_a_row(api, smith):
    twins = PatientFactory.create_batch(
        3, first_name="Tom", last_name="Twin", date_of_birth=date(2000, 1, 1)
    )

    pages = [
        data(api(smith).get(LIST, {"page_size": 1, "page": page, "ordering": "first_name"}))
        for page in (1, 2, 3)
    ]

    assert [page["results"][0]["id"] for page in pages] == [twin.pk for twin in twins]
    assert [page["count"] for page in pages] == [3, 3, 3]
    assert [page["next"] is None for page in pages] == [False, False, True]


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_queries_for_any_length(api, smith, count):
    PatientFactory.create_batch(count)
    client = api(smith)

    with assert_data_queries(4):
        response = client.get(LIST)

    assert data(response)["count"] == count
