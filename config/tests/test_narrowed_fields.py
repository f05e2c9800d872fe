"""`?fields=id,status` narrows the records of a response."""

import pytest

from accounts.models import AuditEvent
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import data, error_details, status_and_code
from config.access_report import iter_endpoints

APPOINTMENTS = "/api/appointments/"


def test_a_list_and_a_record_have_only_these_fields(api, smith):
    row = make_appointment("confirmed", doctor=smith)
    client = api(smith)

    listed = data(client.get(APPOINTMENTS, {"fields": "status,id"}))
    one = client.get(f"{APPOINTMENTS}{row.pk}/", {"fields": "reason_for_visit"})

    assert listed["results"] == [{"id": row.pk, "status": "confirmed"}]
    assert listed["count"] == 1
    assert data(one) == {"reason_for_visit": row.reason_for_visit}
    assert one["ETag"] == f'"{row.version}"'


def test_the_audit_names_the_record_all_the_same(api, smith):
    row = make_appointment(doctor=smith)

    api(smith).get(f"{APPOINTMENTS}{row.pk}/", {"fields": "id"})

    assert AuditEvent.objects.latest("pk").records == [f"appointment/{row.pk}"]


@pytest.mark.parametrize("value", ["id,password", "version", "", "id,", "ID", "doctor_notes"])
def test_a_field_that_the_caller_does_not_see_is_refused(api, jane, value):
    make_appointment(patient=jane, doctor_notes="Seems anxious")

    for url in (APPOINTMENTS, f"/api/patients/{jane.pk}/appointments/"):
        status, code, errors = error_details(api(jane).get(url, {"fields": value}))

        assert (status, code, list(errors)) == (400, "validation_error", ["fields"])
        assert "reason_for_visit" in errors["fields"][0]
        assert "doctor_notes" not in errors["fields"][0].replace(value, "")


def test_an_action_that_shows_no_record_does_not_know_the_parameter(api, jane):
    row = make_appointment(patient=jane)

    refused = api(jane).post(f"{APPOINTMENTS}{row.pk}/cancel/?fields=id", {}, format="json")

    assert status_and_code(refused) == (400, "unknown_parameter")
    row.refresh_from_db()
    assert row.status == "scheduled"


def test_a_page_that_is_too_large_fits_when_it_is_narrowed(api, smith):
    text = "\U0001f600" * 10_000
    for _ in range(60):
        make_appointment(doctor=smith, symptoms=text, patient_notes=text, reason_for_visit=text)
    client, page = api(smith), {"page_size": 100}

    assert status_and_code(client.get(APPOINTMENTS, page)) == (400, "page_too_large")
    narrowed = data(client.get(APPOINTMENTS, page | {"fields": "id,status"}))
    assert len(narrowed["results"]) == 60


def test_every_list_and_record_knows_the_parameter(api, clinic):
    asked = 0
    for endpoint in iter_endpoints():
        for action in ("list", "retrieve"):
            if action in endpoint.actions.values() and "{" not in endpoint.address:
                refused = api(clinic.ada).get(endpoint.address, {"fields": "nonsense"})
                asked += 1
                if refused.status_code != 403:
                    assert error_details(refused)[:2] == (400, "validation_error"), endpoint.address

    assert asked > 10
