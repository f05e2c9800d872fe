"""The envelope of responses: 200, 201, 204, 4xx, 500 and 503."""

import json
import logging
import re

import pytest
from django.conf import settings
from django.db import OperationalError
from django.http import JsonResponse
from django.test import RequestFactory
from django.utils import translation

from accounts.tests.factories import DoctorFactory
from appointments.tests.factories import TimeSlotFactory, make_appointment
from config.api import exceptions
from config.api.exceptions import ERROR_CODES, Problem
from config.http import error_views
from config.http.request_id import RequestIdFilter
from config.tests.personas import build_clinic
from patients.tests.factories import PatientFactory

# The published list; clients may rely on each code.
PUBLISHED = {
    "validation_error": 400,
    "unknown_field": 400,
    "unknown_parameter": 400,
    "page_too_large": 400,
    "parse_error": 400,
    "slot_in_past": 400,
    "booking_too_soon": 400,
    "booking_too_far": 400,
    "not_authenticated": 401,
    "token_invalid": 401,
    "invalid_credentials": 401,
    "permission_denied": 403,
    "license_not_verified": 403,
    "password_change_required": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "not_acceptable": 406,
    "slot_taken": 409,
    "slot_overlap": 409,
    "slot_in_use": 409,
    "patient_overlap": 409,
    "invalid_transition": 409,
    "too_early": 409,
    "too_many_bookings": 409,
    "cancellation_too_late": 409,
    "reschedule_too_late": 409,
    "too_many_slots": 409,
    "emergency_access_live": 409,
    "last_admin": 409,
    "record_anonymised": 409,
    "consultation_exists": 409,
    "consultation_closed": 409,
    "allergy_conflict": 409,
    "possible_duplicate": 409,
    "request_in_progress": 409,
    "refresh_superseded": 409,
    "stale_version": 412,
    "too_large": 413,
    "unsupported_media_type": 415,
    "idempotency_key_reused": 422,
    "throttled": 429,
    "server_error": 500,
    "unavailable": 503,
}


def test_error_codes_match_the_published_list():
    assert {name: code.status for name, code in ERROR_CODES.items()} == PUBLISHED


@pytest.mark.django_db
def test_a_success_has_status_data_and_message(api):
    patient = PatientFactory()

    body = api(patient).get("/api/auth/profile/").json()

    assert list(body) == ["status", "data", "message"]
    assert body["status"] == "success"
    assert body["message"] == "Operation completed successfully"
    assert body["data"]["username"] == patient.username


@pytest.mark.django_db
def test_a_list_is_paginated(api):
    make_appointment(patient=(patient := PatientFactory()))

    body = api(patient).get("/api/appointments/").json()

    assert list(body["data"]) == ["count", "next", "previous", "results"]


@pytest.mark.django_db
def test_pages_have_20_rows_by_default_and_100_at_most(api):
    doctor = DoctorFactory()
    TimeSlotFactory.create_batch(120, doctor=doctor)
    client = api(doctor)

    lengths = [
        len(client.get(f"/api/time-slots/{query}").json()["data"]["results"])
        for query in ("", "?page_size=50", "?page_size=1000", "?page=6")
    ]

    assert lengths == [20, 50, 100, 20]
    assert client.get("/api/time-slots/?page=7").status_code == 404


@pytest.mark.django_db
def test_a_created_record_is_201_with_its_own_message(api):
    slot = TimeSlotFactory()

    response = api(PatientFactory()).post(
        "/api/appointments/", {"time_slot": slot.pk, "reason_for_visit": "A cough"}
    )

    assert response.status_code == 201
    assert response.json()["message"] == "Appointment booked."


@pytest.mark.django_db
def test_a_deletion_is_204_without_a_body(api):
    slot = TimeSlotFactory()

    response = api(slot.doctor).delete(f"/api/time-slots/{slot.pk}/")

    assert response.status_code == 204
    assert response.content == b""


@pytest.mark.django_db
def test_an_error_has_messages_by_field_and_a_summary(api):
    response = api(PatientFactory()).post("/api/appointments/", {})

    body = response.json()
    assert response.status_code == 400
    assert body == {
        "status": "error",
        "code": "validation_error",
        "errors": {
            "time_slot": ["This field is required."],
            "reason_for_visit": ["This field is required."],
        },
        "message": "Time slot: this field is required.",
        "request_id": response["X-Request-ID"],
    }


@pytest.mark.parametrize(
    ("sent", "kept"),
    [("0123abcd-my-request", True), ("short", False), ("x" * 65, False), ("bad id\n", False)],
)
@pytest.mark.django_db
def test_a_plain_request_id_is_kept(api, sent, kept):
    response = api().get("/api/doctors/", HTTP_X_REQUEST_ID=sent)

    assert (response["X-Request-ID"] == sent) is kept
    assert response.json()["request_id"] == response["X-Request-ID"]


@pytest.mark.django_db
def test_errors_of_nested_fields_stay_nested(api):
    response = api(DoctorFactory()).post(
        "/api/time-slots/create_bulk_slots/",
        {
            "date_from": "2027-01-04",
            "date_to": "2027-01-08",
            "weekdays": [0, 9],
            "start_time": "09:00",
            "end_time": "10:00",
            "slot_duration": 30,
        },
    )

    weekdays = response.json()["errors"]["weekdays"]
    assert list(weekdays) == ["1"]
    assert response.json()["message"] == f"Weekdays: e{weekdays['1'][0][1:]}"


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.django_db
def test_a_server_error_is_500_in_the_envelope_and_logged(
    api, settings, monkeypatch, caplog, debug
):
    settings.DEBUG = debug
    monkeypatch.setattr("appointments.viewsets.UpcomingViewSet.pagination_class", "a secret path")
    client = api(PatientFactory(), raise_request_exception=False)

    response = client.get("/api/upcoming/")

    body = response.json()
    assert response.status_code == 500
    assert body["code"] == "server_error"
    assert list(body["errors"]) == ["detail"]
    assert "secret" not in response.content.decode()
    assert "Traceback" in caplog.text


def test_a_lost_database_is_503_with_retry_after():
    problem = exceptions.problem_from(OperationalError("server closed the connection"))

    assert (problem.status, problem.code) == (503, "unavailable")
    assert problem.headers == {"Retry-After": "5"}
    assert "server closed" not in str(problem.body)


@pytest.mark.django_db
def test_django_error_pages_use_the_envelope_below_the_api_only():
    for handler, status, code in [
        (error_views.bad_request, 400, "parse_error"),
        (error_views.forbidden, 403, "permission_denied"),
        (error_views.not_found, 404, "not_found"),
    ]:
        error = {400: exceptions.BadRequest(), 403: exceptions.PermissionDenied()}.get(
            status, exceptions.Http404()
        )
        inside = handler(RequestFactory().get("/api/x/"), error)
        outside = handler(RequestFactory().get("/admin/x/"), error)

        assert (inside.status_code, json.loads(inside.content)["code"]) == (status, code)
        assert outside.status_code == status
        assert not isinstance(outside, JsonResponse)

    crash = error_views.server_error(RequestFactory().get("/api/x/"))
    assert (crash.status_code, json.loads(crash.content)["code"]) == (500, "server_error")


@pytest.mark.django_db
def test_a_put_of_a_get_response_changes_nothing(api):
    clinic = build_clinic()
    for actor, address in [
        (clinic.jane, "/api/auth/profile/"),
        (clinic.house, "/api/auth/profile/"),
        (clinic.ada, "/api/auth/profile/"),
        (clinic.jane, f"/api/patients/{clinic.jane.pk}/"),
        (clinic.house, f"/api/patients/{clinic.jane.pk}/"),
        (clinic.jane, f"/api/appointments/{clinic.appointment.pk}/"),
        (clinic.house, f"/api/appointments/{clinic.appointment.pk}/"),
        (clinic.house, f"/api/consultations/{clinic.consultation.pk}/"),
        (clinic.house, f"/api/time-slots/{clinic.free.pk}/"),
    ]:
        client = api(actor)
        shown = client.get(address).json()["data"]

        response = client.put(address, shown)

        assert response.status_code == 200, (address, response.json())
        after = response.json()["data"]
        assert after | {"updated_at": ""} == shown | {"updated_at": ""}


@pytest.mark.django_db
def test_a_changed_read_only_field_is_refused_by_name(api):
    clinic = build_clinic()

    for actor, address, field, value in [
        (clinic.jane, "/api/auth/profile/", "user_type", "admin"),
        (clinic.house, "/api/auth/profile/", "license_verified", False),
        (clinic.jane, "/api/auth/profile/", "username", "other"),
        (clinic.jane, f"/api/appointments/{clinic.appointment.pk}/", "time_slot", clinic.free.pk),
        (clinic.jane, f"/api/appointments/{clinic.appointment.pk}/", "status", "completed"),
        (clinic.house, f"/api/consultations/{clinic.consultation.pk}/", "status", "completed"),
        (clinic.house, f"/api/consultations/{clinic.consultation.pk}/", "patient", clinic.paul.pk),
        (clinic.house, f"/api/time-slots/{clinic.free.pk}/", "doctor", clinic.grey.pk),
    ]:
        client = api(actor)
        before = client.get(address).json()["data"]

        response = client.patch(address, {field: value})

        assert response.status_code == 400, (address, field)
        assert list(response.json()["errors"]) == [field]
        assert client.get(address).json()["data"] == before


def test_a_log_line_contains_the_request_id(api, db):
    lines = []
    handler = logging.Handler()
    handler.addFilter(RequestIdFilter())
    handler.emit = lambda record: lines.append(record.request_id)
    logging.getLogger("config.requests").addHandler(handler)

    response = api().get("/api/doctors/")

    logging.getLogger("config.requests").removeHandler(handler)
    assert lines == [response["X-Request-ID"]]


def test_the_documentation_lists_every_code():
    page = (settings.BASE_DIR / "docs" / "errors.md").read_text()

    row = r"^\| `(\w+)` \| (\d+) \| (.*?)(?: `details`: `(\w+)`)? \|$"
    rows = re.findall(row, page, re.MULTILINE)

    assert rows == [
        (name, str(code.status), code.meaning, code.details) for name, code in ERROR_CODES.items()
    ]


@pytest.mark.django_db
def test_a_post_accepts_no_read_only_field(api):
    slot = TimeSlotFactory()
    client = api(slot.doctor)
    body = {"date": "2027-05-05", "start_time": "09:00", "end_time": "10:00"}

    for value in ("Ellipsis", None, True, 1, "", []):
        response = client.post("/api/time-slots/", body | {"id": value})
        assert response.status_code == 400, value
        assert list(response.json()["errors"]) == ["id"]

    assert slot.doctor.time_slots.count() == 1


@pytest.mark.django_db
def test_the_documentation_answers_get_only(api):
    for method in ("options", "post", "put", "delete"):
        response = getattr(api(), method)("/api/docs/", HTTP_ACCEPT="text/html")
        assert response.status_code == 405


@pytest.mark.parametrize(
    ("errors", "code", "language", "message"),
    [
        ({"start_time": ["This field is required."]}, "validation_error", "en",
         "Start time: this field is required."),
        ({"date_of_birth": ["A date is needed."]}, "validation_error", "en",
         "Date of birth: a date is needed."),
        ({"x_ray": ["This operation does not know this field."]}, "unknown_field", "en",
         "X ray: this operation does not know this field."),
        ({"email": ["E-mail addresses have an @."]}, "validation_error", "en",
         "Email: e-mail addresses have an @."),
        ({"weekdays": {"1": ["Enter a number."]}}, "validation_error", "en",
         "Weekdays: enter a number."),
        ({"phone": ["Dieses Feld fehlt."]}, "validation_error", "de",
         "Telefon: Dieses Feld fehlt."),
        ({"time_slot": ["This time slot is taken."]}, "slot_taken", "en",
         "This time slot is taken."),
        ({"detail": ["Not found."]}, "validation_error", "en", "Not found."),
        ({"non_field_errors": ["Give a measurement."]}, "validation_error", "en",
         "Give a measurement."),
        ({}, "validation_error", "en", ""),
    ],
)  # fmt: skip
def test_a_message_names_the_field_of_a_malformed_request(errors, code, language, message):
    with translation.override(language):
        assert Problem(code, errors).message == message
