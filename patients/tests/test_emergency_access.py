"""Emergency access: a doctor without a care relationship reads a record and states a reason."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import AuditEvent
from accounts.tests.factories import AdminFactory, DoctorFactory, UnverifiedDoctorFactory
from accounts.tests.helpers import data
from appointments.tests.helpers import assert_data_queries, status_and_code
from config.clinical_records import record_of
from consultations.models import Consultation
from consultations.tests.factories import add_parts, make_consultation
from patients.models import EmergencyAccess
from patients.services import deactivate
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

WHY = {"reason": "Unconscious, no papers"}


@pytest.fixture
def record(jane):
    return add_parts(make_consultation(patient=jane, started=True))


def url_of(patient):
    return f"/api/patients/{patient.pk}/emergency-access/"


def readable_urls(consultation):
    return [
        f"/api/consultations/{consultation.pk}/",
        *[
            f"/api/consultations/{consultation.pk}/{part}/"
            for part in [record.route for record in record_of(Consultation).parts]
        ],
    ]


def test_emergency_access_lasts_for_an_hour(api, grey, jane, record):
    client = api(grey)
    assert [status_and_code(client.get(one)) for one in readable_urls(record)] == [
        (404, "not_found")
    ] * 4

    granted = data(client.post(url_of(jane), WHY), 201)

    assert (granted["patient"], granted["doctor"]) == (jane.pk, grey.pk)
    assert (granted["doctor_name"], granted["reason"]) == ("Meredith Grey", WHY["reason"])
    access = EmergencyAccess.objects.get()
    assert access.expires_at - access.created_at == timedelta(minutes=60)
    for one in readable_urls(record):
        data(client.get(one))
    listed = data(client.get(f"/api/patients/{jane.pk}/consultations/"))
    assert [row["id"] for row in listed["results"]] == [record.pk]


def test_emergency_access_expires_after_an_hour(api, grey, jane, record):
    client = api(grey)
    data(client.post(url_of(jane), WHY), 201)
    EmergencyAccess.objects.update(expires_at=timezone.now())

    assert [status_and_code(client.get(one)) for one in readable_urls(record)] == [
        (404, "not_found")
    ] * 4


def test_emergency_access_covers_one_patient_and_one_doctor(api, grey, jane, record):
    paul_s = add_parts(make_consultation(patient=PatientFactory(), started=True))
    data(api(grey).post(url_of(jane), WHY), 201)

    assert status_and_code(api(grey).get(f"/api/consultations/{paul_s.pk}/")) == (404, "not_found")
    assert status_and_code(api(DoctorFactory()).get(f"/api/consultations/{record.pk}/")) == (
        404,
        "not_found",
    )


def test_emergency_access_is_read_only(api, grey, jane, record):
    client = api(grey)
    data(client.post(url_of(jane), WHY), 201)
    consultation = f"/api/consultations/{record.pk}/"

    assert status_and_code(client.patch(consultation, {"diagnosis": "Flu"})) == (404, "not_found")
    assert status_and_code(
        client.post(f"{consultation}notes/", {"note_type": "plan", "content": "Rest"})
    ) == (
        404,
        "not_found",
    )
    assert status_and_code(
        client.post(f"{consultation}complete_consultation/", {"diagnosis": "Flu"})
    ) == (
        404,
        "not_found",
    )


@pytest.mark.parametrize(
    "reason",
    [None, "", "too short", " " * 20, "123456789 ", "\u200b" * 12, "a\u200b" * 9, "\u3164" * 12],
)
def test_a_reason_is_required(api, grey, jane, record, reason):
    body = {} if reason is None else {"reason": reason}

    response = api(grey).post(url_of(jane), body)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["reason"]
    assert EmergencyAccess.objects.count() == 0


@pytest.mark.parametrize("who", [UnverifiedDoctorFactory, AdminFactory, PatientFactory])
def test_only_verified_doctors_get_emergency_access(api, jane, who):
    assert api(who()).post(url_of(jane), WHY).status_code == 403
    assert EmergencyAccess.objects.count() == 0


def test_a_deactivated_patient_has_no_emergency_access(api, grey, jane):
    deactivate(jane, by=AdminFactory())

    assert status_and_code(api(grey).post(url_of(jane), WHY)) == (404, "not_found")


def test_patient_doctor_and_admins_list_emergency_access(api, grey, jane):
    given = data(api(grey).post(url_of(jane), WHY), 201)

    for reader in (jane, grey, AdminFactory()):
        client = api(reader)
        assert data(client.get(url_of(jane)))["results"] == [given]
        assert data(client.get(f"{url_of(jane)}{given['id']}/")) == given
    assert data(api(DoctorFactory()).get(url_of(jane)))["results"] == []
    assert status_and_code(api(PatientFactory()).get(url_of(jane))) == (404, "not_found")


def test_emergency_access_is_audited_and_in_the_access_log(api, grey, jane):
    data(api(grey).post(url_of(jane), WHY), 201)

    event = AuditEvent.objects.get(event="emergencyaccess.grant")
    assert (event.actor, event.action, event.patients) == (grey.pk, "C", [jane.pk])
    row = data(api(jane).get(f"/api/patients/{jane.pk}/access-log/"))["results"][0]
    assert (row["actor_name"], row["action"], row["kinds"]) == (
        "Meredith Grey",
        "create",
        ["emergencyaccess"],
    )


def test_a_retry_with_an_idempotency_key_grants_access_once(api, grey, jane):
    client = api(grey)

    first = client.post(url_of(jane), WHY, HTTP_IDEMPOTENCY_KEY="k")
    again = client.post(url_of(jane), WHY, HTTP_IDEMPOTENCY_KEY="k")

    assert data(first, 201) == data(again, 201)
    assert again["Idempotency-Replayed"] == "true"
    assert EmergencyAccess.objects.count() == 1


@pytest.mark.parametrize("method", ["put", "patch", "delete"])
def test_emergency_access_cannot_be_changed_or_deleted(api, grey, jane, method):
    client = api(grey)
    given = data(client.post(url_of(jane), WHY), 201)

    assert getattr(client, method)(f"{url_of(jane)}{given['id']}/", {}).status_code == 405


@pytest.mark.parametrize("count", [1, 3])
def test_the_list_costs_the_same_queries_for_any_length(api, grey, jane, count):
    client = api(grey)
    for _ in range(count):
        data(client.post(url_of(jane), WHY), 201)
        EmergencyAccess.objects.update(expires_at=timezone.now())

    with assert_data_queries(5):  # user, patient, count, page, and the audit event
        assert data(client.get(url_of(jane)))["count"] == count


def test_the_admin_page_is_read_only(client, grey, jane, api):
    given = data(api(grey).post(url_of(jane), WHY), 201)
    client.force_login(AdminFactory())

    page = client.get("/admin/patients/emergencyaccess/").content.decode()

    assert WHY["reason"] in page
    assert client.get("/admin/patients/emergencyaccess/add/").status_code == 403
    post = client.post(f"/admin/patients/emergencyaccess/{given['id']}/change/", {"reason": "x"})
    assert post.status_code == 403
