"""The appointments of a patient, below the patient's URL."""

import pytest

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

MISSING_ID = 999_999
MOUNTS = ["/api/", "/api/patients/api/"]


def url(patient, mount="/api/"):
    return f"{mount}patients/{getattr(patient, 'pk', patient)}/appointments/"


@pytest.mark.parametrize("mount", MOUNTS)
def test_the_list_has_the_rows_of_the_appointment_list(api, smith, ada, jane, omar, mount):
    make_appointment(patient=omar, doctor=smith)
    own = [make_appointment(status, patient=jane) for status in ("confirmed", "cancelled")]

    for reader in (jane, ada):
        rows = data(api(reader).get(url(jane, mount)))["results"]

        assert [row["id"] for row in rows] == [one.pk for one in reversed(own)]
        assert rows == data(api(reader).get("/api/appointments/", {"patient": jane.pk}))["results"]


def test_a_doctor_sees_the_own_appointments_of_the_patient(api, smith, meyer, jane):
    make_appointment(patient=jane, doctor=meyer)
    own = make_appointment(patient=jane, doctor=smith)

    assert ids(api(smith).get(url(jane))) == [own.pk]


@pytest.mark.parametrize("mount", MOUNTS)
def test_an_empty_list_for_a_patient_in_sight_and_404_for_another(api, ada, jane, omar, mount):
    make_appointment(patient=jane)

    assert ids(api(ada).get(url(omar, mount))) == []
    for one in (jane, MISSING_ID, 10**30):
        refused = api(omar).get(url(one, mount))
        assert error_details(refused) == (404, "not_found", {"detail": ["Not found."]})


def test_anonymous_users_and_unverified_doctors_are_refused(api, nils, jane):
    for one in (jane, MISSING_ID):
        assert status_and_code(api().get(url(one))) == (401, "not_authenticated")
        assert status_and_code(api(nils).get(url(one))) == (403, "license_not_verified")


def test_the_list_takes_the_filters_and_the_order_of_appointments(api, ada, jane, smith):
    morning = make_appointment(patient=jane, time_slot=make_slot("2026-12-03 09:00", doctor=smith))
    noon = make_appointment(
        "confirmed", patient=jane, time_slot=make_slot("2026-12-03 12:00", doctor=smith)
    )
    client = api(ada)

    assert ids(client.get(url(jane), {"ordering": "starts_at"})) == [morning.pk, noon.pk]
    assert ids(client.get(url(jane), {"status": "confirmed"})) == [noon.pk]
    assert ids(client.get(url(jane), {"date": "2026-12-04"})) == []


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_queries_for_any_length(api, jane, count):
    for _ in range(count):
        make_appointment(patient=jane)
    client = api(jane)

    with assert_data_queries(4):
        response = client.get(url(jane))

    assert data(response)["count"] == count
