"""`If-Match`: a write to a record that has changed since it was read is refused."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from accounts import services as accounts
from accounts.models import Session
from accounts.tests.factories import DoctorFactory
from appointments import services as appointments
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.tests.factories import (
    TimeSlotFactory,
    make_appointment,
    make_appointment_of_today,
)
from appointments.tests.helpers import (
    all_rows,
    data,
    error_details,
    status_and_code,
)
from config.access_report import iter_endpoints
from config.tests.lock_waiting import run_behind_lock
from config.tests.personas import build_clinic
from consultations import services as consultations
from consultations.models import Consultation, Prescription, VitalSigns
from consultations.tests.factories import MEDICATION, make_consultation
from patients import services as patients
from patients.models import Patient
from patients.tests.factories import PatientFactory

PROFILE = "/api/auth/profile/"


ON_THREADS = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite's test database is one connection's"
)


def appointment_url(appointment, move=""):
    return f"/api/appointments/{appointment.pk}/{move}"


def consultation_url(consultation, step=""):
    return f"/api/consultations/{consultation.pk}/{step}"


def patient_url(patient):
    return f"/api/patients/{patient.pk}/"


def version(record):
    return type(record).objects.values_list("version", flat=True).get(pk=record.pk)


# --- If-Match -------------------------------------------------------------------------------


def every_change(clinic):
    """Returns (user, method, URL, body) of a valid request for each operation with If-Match."""
    appointment, consultation = clinic.fresh, clinic.fresh_consultation
    free = TimeSlotFactory(doctor=clinic.house)
    profile = {"first_name": "Jane", "last_name": "D.", "email": clinic.jane.email}
    return [
        (clinic.jane, "put", appointment_url(appointment), {"reason_for_visit": "Worse"}),
        (clinic.jane, "patch", appointment_url(appointment), {"symptoms": "Fever"}),
        (clinic.house, "post", appointment_url(appointment, "confirm/"), {}),
        (clinic.house, "post", appointment_url(clinic.begun, "start/"), {}),
        (clinic.house, "post", appointment_url(clinic.begun, "complete/"), {}),
        (clinic.house, "post", appointment_url(clinic.begun, "no_show/"), {}),
        (clinic.jane, "post", appointment_url(appointment, "cancel/"), {}),
        (clinic.jane, "post", appointment_url(appointment, "reschedule/"), {"time_slot": free.pk}),
        (clinic.house, "post", appointment_url(clinic.ended, "reopen/"), {"reason": "A slip"}),
        (clinic.house, "put", consultation_url(consultation), {"diagnosis": "Gout"}),
        (clinic.house, "patch", consultation_url(consultation), {"diagnosis": "Gout"}),
        (clinic.house, "post", consultation_url(consultation, "start_consultation/"), {}),
        (clinic.house, "post", consultation_url(consultation, "complete_consultation/"), {}),
        (clinic.house, "post", consultation_url(clinic.done, "reopen/"), {"reason": "A slip"}),
        (clinic.house, "put", patient_url(clinic.jane), profile),
        (clinic.house, "patch", patient_url(clinic.jane), {"phone": "030 1"}),
        (clinic.ada, "delete", patient_url(clinic.jane), {}),
        (clinic.jane, "put", PROFILE, profile),
        (clinic.jane, "patch", PROFILE, {"phone": "030 1"}),
    ]


@pytest.fixture
def clinic(db):
    clinic = build_clinic()
    clinic.fresh = make_appointment(patient=clinic.jane, doctor=clinic.house)
    clinic.begun = make_appointment_of_today(patient=clinic.jane, doctor=clinic.house)
    clinic.fresh_consultation = make_consultation(appointment=clinic.begun)
    clinic.ended = make_appointment("cancelled", patient=clinic.jane, doctor=clinic.house)
    clinic.done = make_consultation(patient=clinic.jane, doctor=clinic.house, completed=True)
    for record in (clinic.ended, clinic.done):
        type(record).objects.filter(pk=record.pk).update(version=1)
    return clinic


def stored_rows():
    return all_rows(Appointment, AppointmentHistory, Consultation, Patient)


def test_a_stale_or_unknown_etag_is_412_and_changes_nothing(api, clinic):
    for who, method, address, body in every_change(clinic):
        client, before = api(who), rows_without_last_login()
        for tags in ('"99"', '"01"', '"one"', '""', '"2","99999999999999999999"'):
            response = getattr(client, method)(address, body, HTTP_IF_MATCH=tags)

            assert status_and_code(response) == (412, "stale_version"), (method, address, tags)
            assert "ETag" not in response
        assert rows_without_last_login() == before


def rows_without_last_login():
    """Returns every row without the times of logins."""
    return [[row | {"last_login": None} for row in table] for table in stored_rows()]


@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', '"7", "1"', '"7",W/"8" ,"1"', "*", None])
@pytest.mark.parametrize("number", range(19))
def test_a_current_etag_a_star_or_no_header_is_accepted(api, clinic, number, tags):
    who, method, address, body = every_change(clinic)[number]
    extra = {} if tags is None else {"HTTP_IF_MATCH": tags}

    response = getattr(api(who), method)(address, body, **extra)

    assert response.status_code in (200, 204), response.content


@pytest.mark.parametrize("tags", ["", "7", '"7', '"7" "8"', '*, "7"', '"7",', "w/7", "'7'"])
def test_a_malformed_if_match_is_refused_by_name(api, clinic, tags):
    for who, method, address, body in every_change(clinic):
        client, before = api(who), rows_without_last_login()

        response = getattr(client, method)(address, body, HTTP_IF_MATCH=tags)

        status, name, errors = error_details(response)
        assert (status, name, list(errors)) == (400, "validation_error", ["If-Match"])
        assert rows_without_last_login() == before


def test_every_changing_operation_on_a_versioned_record_checks_if_match(clinic):
    """The list above contains every unsafe operation on a single versioned record."""
    heeded = {
        (method, endpoint.address)
        for endpoint in iter_endpoints()
        if endpoint.is_canonical
        for method, action in endpoint.actions.items()
        if action in getattr(endpoint.view, "if_match", ())
    }
    tested = {
        (method, "/".join("{pk}" if part.isdigit() else part for part in address.split("/")))
        for _, method, address, _ in every_change(clinic)
    }
    unsafe = {
        (method, endpoint.address)
        for endpoint in iter_endpoints()
        if endpoint.is_canonical
        and getattr(endpoint.view, "if_match", None)
        and "{pk}" in endpoint.address
        for method in endpoint.actions
        if method not in ("get", "head")
    }

    assert heeded == tested
    assert unsafe <= heeded


def test_reading_ignores_if_match(api, clinic):
    client = api(clinic.jane)

    for address in (appointment_url(clinic.fresh), "/api/appointments/", PROFILE):
        assert client.get(address, HTTP_IF_MATCH='"99"').status_code == 200


def unversioned_requests(clinic):
    """Returns (user, method, URL, body) of valid requests on records without an ETag."""
    visit = consultation_url(clinic.fresh_consultation)
    prescription = consultations.prescribe(clinic.fresh_consultation, by=clinic.house, **MEDICATION)
    slot = f"/api/time-slots/{clinic.free.pk}/"
    booking = {"time_slot": clinic.free.pk, "reason_for_visit": "A cough"}
    session = Session.objects.filter(user=clinic.jane).latest("created_at")
    return [
        (clinic.house, "patch", slot, {"end_time": "23:59"}),
        (clinic.house, "delete", slot, {}),
        (clinic.jane, "post", "/api/appointments/", booking),
        (clinic.house, "post", f"{visit}vital-signs/", {"heart_rate": 70}),
        (clinic.house, "patch", f"{visit}prescriptions/{prescription.pk}/", {"is_active": False}),
        (clinic.jane, "delete", f"/api/auth/sessions/{session.pk}/", {}),
        (clinic.jane, "post", "/api/auth/sessions/end_all/", {}),
    ]


@pytest.mark.parametrize("number", range(7))
def test_an_unversioned_record_matches_a_star_and_no_etag(api, clinic, number):
    """An If-Match header that cannot be checked is refused and not ignored."""
    api(clinic.jane)
    who, method, address, body = unversioned_requests(clinic)[number]
    tables = (TimeSlot, Appointment, Prescription, VitalSigns, Session)
    client = api(who)
    before = all_rows(*tables)

    for tags in ('"1"', 'W/"1"', '"1", "2"'):
        response = getattr(client, method)(address, body, HTTP_IF_MATCH=tags)
        assert status_and_code(response) == (412, "stale_version"), (method, address, tags)
    assert error_details(getattr(client, method)(address, body, HTTP_IF_MATCH="7"))[0] == 400
    assert all_rows(*tables) == before
    assert getattr(client, method)(address, body, HTTP_IF_MATCH="*").status_code in (200, 201, 204)
    assert all_rows(*tables) != before


def test_a_stale_get_response_cannot_be_put_back(api, clinic):
    """The error is about the version and not about the outdated read-only timestamps."""
    client, address = api(clinic.jane), appointment_url(clinic.fresh)
    read = client.get(address)
    appointments.move(clinic.fresh, "confirm", by=clinic.house)

    response = client.put(address, data(read) | {"symptoms": "Fever"}, HTTP_IF_MATCH=read["ETag"])

    assert status_and_code(response) == (412, "stale_version")
    assert data(client.get(address))["symptoms"] == ""


def test_a_stale_profile_is_refused_by_version_and_not_by_field(api, clinic):
    client = api(clinic.jane)
    tag = client.get(PROFILE)["ETag"]
    accounts.update_profile(clinic.jane, by=clinic.ada, phone="030 1")

    response = client.patch(PROFILE, {"phone": "none"}, HTTP_IF_MATCH=tag)

    assert status_and_code(response) == (412, "stale_version")
    assert status_and_code(client.patch(PROFILE, {"phone": "none"})) == (400, "validation_error")


def test_a_new_part_makes_the_etag_of_the_consultation_stale(api, clinic):
    client, address = api(clinic.house), consultation_url(clinic.fresh_consultation)
    read = client.get(address)
    data(client.post(f"{address}vital-signs/", {"heart_rate": 70}), 201)

    response = client.patch(address, {"diagnosis": "Gout"}, HTTP_IF_MATCH=read["ETag"])

    assert status_and_code(response) == (412, "stale_version")


def test_a_private_note_changes_no_etag_and_is_not_overwritten(api, clinic):
    client, address = api(clinic.house), consultation_url(clinic.fresh_consultation)
    read = client.get(address)
    note = {"note_type": "general", "content": "Worried", "is_private": True}
    written = data(client.post(f"{address}notes/", note), 201)

    response = client.put(address, data(read) | {"diagnosis": "Gout"}, HTTP_IF_MATCH=read["ETag"])

    assert data(response)["notes"] == [written]
    assert response["ETag"] == '"2"'


@pytest.mark.parametrize(
    ("method", "step", "body"),
    [
        ("put", "", {"diagnosis": "Gout"}),
        ("patch", "", {"diagnosis": "Gout"}),
        ("post", "start_consultation/", {}),
        ("post", "complete_consultation/", {"diagnosis": "Gout"}),
    ],
)
def test_a_cancelled_appointment_does_not_change_the_etag_of_its_consultation(
    *, method, step, body, api, clinic
):
    """The consultation's status follows the appointment without a new version."""
    client, address = api(clinic.house), consultation_url(clinic.fresh_consultation)
    read = client.get(address)
    appointments.move(clinic.fresh_consultation.appointment, "cancel", by=clinic.house)
    before = stored_rows()

    response = getattr(client, method)(f"{address}{step}", body, HTTP_IF_MATCH=read["ETag"])

    assert status_and_code(response) == (409, "invalid_transition")
    assert stored_rows() == before
    now = client.get(address)
    assert (now["ETag"], data(now)["status"]) == (read["ETag"], "cancelled")


def test_an_invisible_record_is_404_with_any_etag(api, clinic):
    client = api(clinic.paul)

    for tags in ('"1"', '"99"', "*"):
        response = client.patch(appointment_url(clinic.fresh), {}, HTTP_IF_MATCH=tags)
        assert status_and_code(response) == (404, "not_found")


# --- Locks ----------------------------------------------------------------------------------

CHANGES_FROM_A_VERSION = {
    "move": lambda clinic, known: appointments.move(
        clinic.fresh, "confirm", by=clinic.house, if_version=known
    ),
    "amend": lambda clinic, known: appointments.update(
        clinic.fresh, by=clinic.jane, symptoms="Fever", if_version=known
    ),
    "start": lambda clinic, known: consultations.start(
        clinic.fresh_consultation, by=clinic.house, if_version=known
    ),
    "complete": lambda clinic, known: consultations.complete(
        clinic.fresh_consultation, by=clinic.house, if_version=known
    ),
    "write": lambda clinic, known: consultations.update_text(
        clinic.fresh_consultation, by=clinic.house, diagnosis="Gout", if_version=known
    ),
    "update_profile": lambda clinic, known: accounts.update_profile(
        clinic.jane, by=clinic.ada, phone="030 1", if_version=known
    ),
    "deactivate": lambda clinic, known: patients.deactivate(
        clinic.jane, by=clinic.ada, if_version=known
    ),
}


@pytest.mark.parametrize("change", CHANGES_FROM_A_VERSION)
def test_a_service_compares_the_version_with_the_stored_row(clinic, change):
    """The instance has the given version, but the row has changed since."""
    for model in (Appointment, Consultation, Patient):
        model.objects.update(version=2)
    before = stored_rows()

    with pytest.raises(ValidationError) as refused:
        CHANGES_FROM_A_VERSION[change](clinic, {1})

    assert [error.code for error in refused.value.error_dict["version"]] == ["stale_version"]
    assert stored_rows() == before
    CHANGES_FROM_A_VERSION[change](clinic, {2})
    assert stored_rows() != before


@ON_THREADS
@pytest.mark.django_db(transaction=True)
def test_every_endpoint_passes_its_version_to_the_service(api, clinic):
    """The version is current when the request arrives and stale when the lock is acquired."""
    for number, (who, method, address, body) in enumerate(every_change(clinic), start=1):
        client, answers = api(who), []

        def change_concurrently(number=number):
            for model in (Appointment, Consultation, Patient):
                model.objects.update(version=number + 1)

        def send(number=number, request=(method, address, body), client=client, to=answers):
            name, *sent = request
            to.append(getattr(client, name)(*sent, HTTP_IF_MATCH=f'"{number}"'))

        waited, _ = run_behind_lock(change_concurrently, send)

        assert (waited, status_and_code(answers[0])) == (True, (412, "stale_version")), (
            method,
            address,
        )


@ON_THREADS
@pytest.mark.django_db(transaction=True)
def test_one_of_eight_concurrent_changes_of_one_version_succeeds(api, settings):
    settings.MAX_SESSIONS = 0
    doctor, patient = DoctorFactory(), PatientFactory()
    consultation = make_consultation(doctor=doctor, patient=patient)
    appointment = consultation.appointment
    client = api(doctor)

    for address, body in [
        (appointment_url(appointment), {"doctor_notes": "Calm {}"}),
        (consultation_url(consultation), {"diagnosis": "Gout {}"}),
        (patient_url(patient), {"phone": "030 {}"}),
    ]:
        tag, barrier = client.get(address)["ETag"], Barrier(8)

        def change(number, address=address, body=body, tag=tag, barrier=barrier):
            other = api(doctor)
            mine = {name: text.format(number) for name, text in body.items()}
            barrier.wait(30)
            try:
                return other.patch(address, mine, HTTP_IF_MATCH=tag)
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as callers:
            answers = list(callers.map(change, range(8)))

        [won] = [answer for answer in answers if answer.status_code == 200]
        lost = [status_and_code(answer) for answer in answers if answer.status_code != 200]
        assert lost == [(412, "stale_version")] * 7
        now = client.get(address)
        assert now["ETag"] == won["ETag"] != tag
        field = next(iter(body))
        assert data(now)[field] == data(won)[field]
