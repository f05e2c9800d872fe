"""The complete history of a patient, below the patient's address."""

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

NOBODY = 999_999


def url(patient, mount="/api/"):
    return f"{mount}patients/{patient if isinstance(patient, int) else patient.pk}/consultations/"


@pytest.mark.parametrize("mount", ["/api/", "/api/patients/api/"])
def test_it_is_complete_whatever_the_doctor_or_the_state(api, smith, ada, jane, mount):
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


def test_the_newest_comes_first(api, ada, jane, wednesday):
    with clock.frozen_at(wednesday):
        newest = make_consultation(patient=jane)
    with clock.frozen_at(wednesday.replace(month=11)):
        oldest = make_consultation(patient=jane)

    assert ids(api(ada).get(url(jane))) == [newest.pk, oldest.pk]


def test_the_patient_reads_it_without_the_doctor_s_notes(api, smith, jane, visit):
    services.update_text(visit, by=smith, doctor_notes="Seems anxious about work")

    mine, his = (api(reader).get(url(jane)) for reader in (jane, smith))

    assert data(his)["results"][0]["doctor_notes"] == "Seems anxious about work"
    assert "doctor_notes" not in data(mine)["results"][0]
    assert "anxious" not in mine.content.decode()


def test_a_doctor_sees_of_it_what_he_sees_of_consultations(api, meyer, jane, visit):
    own = services.open_walk_in(patient=jane, doctor=meyer, chief_complaint="A cut", by=meyer)

    assert ids(api(meyer).get(url(jane))) == [own.pk]
    make_appointment(patient=jane, doctor=meyer)
    assert ids(api(meyer).get(url(jane))) == [own.pk, visit.pk]


@pytest.mark.parametrize("mount", ["/api/", "/api/patients/api/"])
def test_a_doctor_who_sees_none_gets_an_empty_list_and_no_403(api, meyer, jane, visit, mount):
    page = data(api(meyer).get(url(jane, mount)))

    assert page == {"count": 0, "next": None, "previous": None, "results": []}


def test_a_patient_without_any_gets_an_empty_list(api, omar, ada, visit):
    for reader in (omar, ada):
        assert ids(api(reader).get(url(omar))) == []


@pytest.mark.parametrize("mount", ["/api/", "/api/patients/api/"])
def test_a_record_out_of_sight_is_as_if_it_did_not_exist(api, omar, jane, visit, mount):
    other, missing, huge = (api(omar).get(url(one, mount)) for one in (jane, NOBODY, 10**30))

    assert error_details(other) == (404, "not_found", {"detail": ["Not found."]})
    assert other.json() | {"request_id": ""} == missing.json() | {"request_id": ""}
    assert huge.json() | {"request_id": ""} == missing.json() | {"request_id": ""}


@pytest.mark.parametrize("reader", ["smith", "ada"])
def test_a_closed_record_and_one_of_no_patient_are_not_found(api, jane, visit, reader, request):
    person = request.getfixturevalue(reader)
    client = api(person)
    assert ids(client.get(url(jane))) == [visit.pk]

    deactivate(jane, by=person)

    for one in (jane, person, NOBODY):
        assert status_and_code(client.get(url(one))) == (404, "not_found")


def test_strangers_and_unverified_doctors_are_refused_whatever_the_id(api, nils, jane, visit):
    for one in (jane, NOBODY):
        assert status_and_code(api().get(url(one))) == (401, "not_authenticated")
        assert status_and_code(api(nils).get(url(one))) == (403, "license_not_verified")


def test_it_is_a_list_and_takes_pages_only(api, ada, jane, visit):
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
def test_listing_costs_the_same_however_long_it_is(api, jane, reader, count, request):
    smith = request.getfixturevalue("smith")
    for _ in range(count):
        add_parts(make_consultation(patient=jane, doctor=smith))
    client = api(request.getfixturevalue(reader))

    with assert_data_queries(4):
        response = client.get(url(jane))

    assert data(response)["count"] == count
