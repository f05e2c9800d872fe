"""The consultations of a patient, below the patient's URL."""

import pytest

from appointments import clock
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import (
    assert_data_queries,
    data,
    error_details,
    ids,
    status_and_code,
)
from consultations import services
from consultations.tests.factories import add_parts, make_consultation
from patients.services import deactivate

MISSING_ID = 999_999


def url(patient, mount="/api/"):
    return f"{mount}patients/{patient if isinstance(patient, int) else patient.pk}/consultations/"


@pytest.mark.parametrize("mount", ["/api/", "/api/patients/api/"])
def test_the_list_contains_consultations_of_all_doctors_and_statuses(api, smith, ada, jane, mount):
    make_consultation(doctor=smith)
    history = [
        make_consultation(patient=jane, doctor=smith, completed=True),
        make_consultation(patient=jane),
        services.open_walk_in(patient=jane, doctor=smith, chief_complaint="A cut", by=smith),
    ]

    for reader in (jane, ada):
        response = api(reader).get(url(jane, mount))

        rows = data(response)["results"]
        assert [row["id"] for row in rows] == [one.pk for one in reversed(history)]
        listed = api(reader).get("/api/consultations/", {"patient": jane.pk})
        assert rows == data(listed)["results"]


def test_the_list_is_ordered_newest_first(api, ada, jane, wednesday):
    with clock.frozen_at(wednesday):
        newest = make_consultation(patient=jane)
    with clock.frozen_at(wednesday.replace(month=11)):
        oldest = make_consultation(patient=jane)

    assert ids(api(ada).get(url(jane))) == [newest.pk, oldest.pk]


def test_the_patient_reads_the_list_without_doctor_notes(api, smith, jane, visit):
    services.update_text(visit, by=smith, doctor_notes="Seems anxious about work")

    patient_response, doctor_response = (api(reader).get(url(jane)) for reader in (jane, smith))

    assert data(doctor_response)["results"][0]["doctor_notes"] == "Seems anxious about work"
    assert "doctor_notes" not in data(patient_response)["results"][0]
    assert "anxious" not in patient_response.content.decode()


def test_a_doctor_sees_the_same_rows_as_in_the_consultation_list(api, meyer, jane, visit):
    own = services.open_walk_in(patient=jane, doctor=meyer, chief_complaint="A cut", by=meyer)

    assert ids(api(meyer).get(url(jane))) == [own.pk]
    make_appointment(patient=jane, doctor=meyer)
    assert ids(api(meyer).get(url(jane))) == [own.pk, visit.pk]


@pytest.mark.parametrize("mount", ["/api/", "/api/patients/api/"])
def test_a_doctor_without_visible_rows_gets_an_empty_list(api, meyer, jane, visit, mount):
    page = data(api(meyer).get(url(jane, mount)))

    assert page == {"count": 0, "next": None, "previous": None, "results": []}


def test_a_patient_without_consultations_gets_an_empty_list(api, omar, ada, visit):
    for reader in (omar, ada):
        assert ids(api(reader).get(url(omar))) == []


@pytest.mark.parametrize("mount", ["/api/", "/api/patients/api/"])
def test_an_invisible_patient_and_a_missing_one_are_both_404(api, omar, jane, visit, mount):
    other, missing, huge = (api(omar).get(url(one, mount)) for one in (jane, MISSING_ID, 10**30))

    assert error_details(other) == (404, "not_found", {"detail": ["Not found."]})
    assert other.json() | {"request_id": ""} == missing.json() | {"request_id": ""}
    assert huge.json() | {"request_id": ""} == missing.json() | {"request_id": ""}


@pytest.mark.parametrize("reader", ["smith", "ada"])
def test_a_deactivated_patient_and_a_non_patient_are_404(api, jane, visit, reader, request):
    person = request.getfixturevalue(reader)
    client = api(person)
    assert ids(client.get(url(jane))) == [visit.pk]

    deactivate(jane, by=person)

    for one in (jane, person, MISSING_ID):
        assert status_and_code(client.get(url(one))) == (404, "not_found")


def test_anonymous_users_and_unverified_doctors_are_refused_for_any_id(api, nils, jane, visit):
    for one in (jane, MISSING_ID):
        assert status_and_code(api().get(url(one))) == (401, "not_authenticated")
        assert status_and_code(api(nils).get(url(one))) == (403, "license_not_verified")


def test_the_list_is_read_only_and_takes_only_page_parameters(api, ada, jane, visit):
    older = ids(api(ada).get(url(jane), {"page_size": 1}))
    filtered = api(ada).get(url(jane), {"status": "completed"})

    assert older == [visit.pk]
    assert status_and_code(filtered) == (400, "unknown_parameter")
    assert status_and_code(api(ada).get(url(jane), {"page": 2})) == (404, "not_found")
    for method in (api(ada).post, api(ada).put, api(ada).patch, api(ada).delete):
        assert status_and_code(method(url(jane), {})) == (405, "method_not_allowed")
    assert status_and_code(api(ada).get(f"{url(jane)}{visit.pk}/")) == (404, "not_found")


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("reader", ["jane", "smith", "ada"])
def test_the_list_costs_the_same_queries_for_any_length(api, jane, reader, count, request):
    smith = request.getfixturevalue("smith")
    for _ in range(count):
        add_parts(make_consultation(patient=jane, doctor=smith))
    client = api(request.getfixturevalue(reader))

    with assert_data_queries(4):
        response = client.get(url(jane))

    assert data(response)["count"] == count
