"""Starting and completing a consultation, and the effect on its appointment."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from appointments import clock
from appointments import services as appointments
from appointments.lifecycle import Status
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import make_appointment, make_appointment_of_today
from appointments.tests.helpers import all_rows, data, error_details, status_and_code
from consultations import services
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns
from consultations.tests.factories import MEDICATION, make_consultation

LIST = "/api/consultations/"
MISSING_ID = 999_999
CLOSING = {
    "assessment": "Probable hypertension",
    "diagnosis": "Essential hypertension",
    "treatment_plan": "Ramipril 5 mg",
    "follow_up_instructions": "Come back with the diary",
    "follow_up_date": "2026-12-21",
    "doctor_notes": "Seems anxious about work",
}


def start(client, visit, body=None):
    pk = visit if isinstance(visit, int) else visit.pk
    return client.post(f"{LIST}{pk}/start_consultation/", body or {})


def complete(client, visit, body=None):
    pk = visit if isinstance(visit, int) else visit.pk
    return client.post(f"{LIST}{pk}/complete_consultation/", body or {})


def stored_rows():
    return all_rows(Consultation, Appointment, AppointmentHistory)


def history_of(appointment):
    """Returns the history of the appointment, as (action, user)."""
    return [(entry.action, entry.changed_by) for entry in appointment.history.all()]


def make_walk_in(doctor, patient):
    return services.open_walk_in(
        patient=patient, doctor=doctor, chief_complaint="A cut finger", by=doctor
    )


# --- Starting -------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", ["smith", "ada"])
def test_starting_sets_the_time_and_starts_the_appointment(api, wednesday, visit, actor, request):
    actor = request.getfixturevalue(actor)
    booked = history_of(visit.appointment)

    response = start(api(actor), visit)

    shown = data(response)
    assert response.json()["message"] == "Consultation started."
    assert shown == data(api(actor).get(f"{LIST}{visit.pk}/"))
    assert (shown["status"], shown["started_at"]) == ("in_progress", "2026-12-02T10:00:00+01:00")
    assert (shown["ended_at"], shown["duration_minutes"]) == (None, None)
    visit.refresh_from_db()
    assert (visit.started_at, visit.doctor.pk) == (wednesday, visit.appointment.doctor_id)
    assert visit.appointment.status == Status.IN_PROGRESS
    assert history_of(visit.appointment) == [*booked, ("start", actor)]


def test_the_seed_path_starts_a_consultation(api, smith, visit):
    response = api(smith).post(
        f"/api/consultations/api/consultations/{visit.pk}/start_consultation/"
    )

    assert data(response)["status"] == "in_progress"


@pytest.mark.parametrize("status", [Status.IN_PROGRESS, Status.COMPLETED])
def test_an_appointment_in_progress_is_not_changed(api, smith, jane, visit, status):
    appointments.update(visit.appointment, by=smith, status=status)
    moved = history_of(visit.appointment)

    shown = data(start(api(smith), visit))

    assert shown["status"] == "in_progress"
    assert history_of(visit.appointment) == moved


def test_a_walk_in_is_started_without_an_appointment(api, smith, jane):
    visit = make_walk_in(smith, jane)

    assert data(start(api(smith), visit))["status"] == "in_progress"
    assert Appointment.objects.count() == 0


def test_a_consultation_is_started_once(api, smith, wednesday, visit):
    data(start(api(smith), visit))
    before = stored_rows()

    with clock.frozen_at(wednesday + timedelta(hours=1)):
        response = start(api(smith), visit)

    assert error_details(response) == (
        409,
        "invalid_transition",
        {"status": ["This consultation has already started."]},
    )
    assert response.json()["details"] == {"allowed": []}
    assert stored_rows() == before


def test_starting_takes_an_empty_body_only(api, smith, visit):
    before = stored_rows()

    status, word, errors = error_details(start(api(smith), visit, {"diagnosis": "Gout"}))

    assert (status, word, list(errors)) == (400, "unknown_field", ["diagnosis"])
    assert stored_rows() == before


# --- Completing -----------------------------------------------------------------------------


@pytest.mark.parametrize("actor", ["smith", "ada"])
def test_completing_sets_the_time_and_completes_the_appointment(
    api, wednesday, visit, actor, request
):
    actor = request.getfixturevalue(actor)
    data(start(api(actor), visit))
    started = history_of(visit.appointment)

    with clock.frozen_at(wednesday + timedelta(minutes=25, seconds=30)):
        response = complete(api(actor), visit, CLOSING)

    shown = data(response)
    assert response.json()["message"] == "Consultation completed."
    assert shown == data(api(actor).get(f"{LIST}{visit.pk}/"))
    assert {name: shown[name] for name in CLOSING} == CLOSING
    assert shown["status"] == "completed"
    assert (shown["ended_at"], shown["duration_minutes"]) == ("2026-12-02T10:25:30+01:00", 25)
    visit.refresh_from_db()
    assert visit.appointment.status == Status.COMPLETED
    assert history_of(visit.appointment) == [*started, ("complete", actor)]


@pytest.mark.usefixtures("wednesday")
@pytest.mark.parametrize("status", [Status.SCHEDULED, Status.CONFIRMED, Status.IN_PROGRESS])
def test_a_consultation_can_be_completed_without_a_start(api, smith, jane, status):
    appointment = make_appointment_of_today(status=status, doctor=smith, patient=jane)
    visit = make_consultation(appointment=appointment)

    shown = data(complete(api(smith), visit))

    assert (shown["status"], shown["ended_at"]) == ("completed", "2026-12-02T10:00:00+01:00")
    assert (shown["started_at"], shown["duration_minutes"]) == (None, None)
    visit.appointment.refresh_from_db()
    assert visit.appointment.status == Status.COMPLETED
    assert history_of(visit.appointment)[-1] == ("complete", smith)


def test_a_completed_appointment_is_not_changed(api, smith, visit):
    appointments.move(visit.appointment, "complete", by=smith)
    moved = history_of(visit.appointment)

    assert data(complete(api(smith), visit))["status"] == "completed"
    assert history_of(visit.appointment) == moved


def test_a_walk_in_is_completed_without_an_appointment(api, smith, jane):
    visit = make_walk_in(smith, jane)

    assert data(complete(api(smith), visit, CLOSING))["status"] == "completed"
    assert Appointment.objects.count() == 0


def test_omitted_fields_keep_their_values_at_completion(api, smith, visit):
    services.update_text(visit, by=smith, assessment="Well", diagnosis="Gout")

    shown = data(complete(api(smith), visit, {"diagnosis": "None"}))

    assert (shown["assessment"], shown["diagnosis"]) == ("Well", "None")


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"chief_complaint": ""}, "validation_error"),
        ({"follow_up_date": "soon"}, "validation_error"),
        ({"diagnosis": None}, "validation_error"),
        ({"status": "completed"}, "unknown_field"),
        ({"ended_at": "2026-12-02T10:00:00+01:00"}, "unknown_field"),
        ({"patient": 1}, "unknown_field"),
    ],
)
def test_an_invalid_field_at_completion_changes_nothing(api, smith, visit, wrong, expected):
    before = stored_rows()

    status, word, errors = error_details(complete(api(smith), visit, CLOSING | wrong))

    assert (status, word, list(errors)) == (400, expected, list(wrong))
    assert stored_rows() == before


# --- Refused starts and completions ---------------------------------------------------------


@pytest.mark.parametrize("step", [start, complete])
@pytest.mark.parametrize("action", ["cancel", "no_show"])
def test_a_cancelled_or_missed_visit_cannot_be_started_or_completed(
    api, smith, visit, step, action
):
    with clock.frozen_at(visit.appointment.starts_at):
        appointments.move(visit.appointment, action, by=smith)
    before = stored_rows()

    response = step(api(smith), visit)

    assert status_and_code(response) == (409, "invalid_transition")
    assert response.json()["details"] == {"allowed": ["reopen"]}
    assert stored_rows() == before
    assert data(api(smith).get(f"{LIST}{visit.pk}/"))["status"] == "cancelled"


def test_transitions_of_the_appointment_do_not_change_the_consultation(smith, visit):
    before = all_rows(Consultation)

    for action in ("confirm", "start", "complete"):
        appointments.move(visit.appointment, action, by=smith)

    assert all_rows(Consultation) == before


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (None, (401, "not_authenticated")),
        ("jane", (403, "permission_denied")),
        ("nils", (403, "license_not_verified")),
        ("meyer", (404, "not_found")),
    ],
)
def test_other_users_cannot_start_or_complete_or_learn_if_it_exists(
    api, visit, caller, expected, request
):
    client = api(caller and request.getfixturevalue(caller))
    before = stored_rows()

    answers = [
        status_and_code(step(client, one))
        for step in (start, complete)
        for one in (visit, MISSING_ID)
    ]

    assert answers == [expected] * 4
    assert stored_rows() == before


# --- Completed consultations ----------------------------------------------------------------


@pytest.mark.parametrize("writer", ["smith", "ada"])
@pytest.mark.parametrize(
    "call",
    [
        ("put", "", {"diagnosis": "Gout"}),
        ("patch", "", {"diagnosis": "Gout"}),
        ("post", "start_consultation/", {}),
        ("post", "complete_consultation/", {"diagnosis": "Gout"}),
        ("post", "vital-signs/", {"heart_rate": 70}),
        ("post", "prescriptions/", MEDICATION),
        ("patch", "prescriptions/{prescription}/", {"is_active": True}),
        ("post", "notes/", {"note_type": "general", "content": "One more thing"}),
    ],
    ids=["put", "patch", "start", "complete", "vital signs", "prescribe", "resume", "note"],
)
def test_a_completed_consultation_is_read_only(api, visit, writer, call, request):
    method, path, body = call
    prescription = services.prescribe(visit, by=visit.doctor, **MEDICATION)
    services.set_active(prescription, by=visit.doctor, is_active=False)
    services.complete(visit, by=visit.doctor, diagnosis="Nothing")
    records = (Consultation, Appointment, VitalSigns, Prescription, ConsultationNote)
    before = all_rows(*records)
    client = api(request.getfixturevalue(writer))
    address = f"{LIST}{visit.pk}/{path.format(prescription=prescription.pk)}"

    response = getattr(client, method)(address, body)

    assert error_details(response) == (
        409,
        "consultation_closed",
        {
            "status": [
                "This consultation is completed. Reopen it, or add a note of type addendum instead."
            ]
        },
    )
    assert all_rows(*records) == before


def test_the_services_refuse_changes_of_a_completed_consultation(smith, visit):
    done = services.complete(visit, by=smith)

    for step in (services.start, services.complete, services.update_text):
        with pytest.raises(ValidationError, match="note of type addendum"):
            step(done, by=smith)


# --- Concurrency ----------------------------------------------------------------------------

races = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no row locks")


def run_concurrently(*calls):
    """Runs all calls at the same time; returns their (status, code)."""
    gate = Barrier(len(calls))

    def response_of(call):
        gate.wait()
        try:
            response = call()
            return response.status_code, response.json().get("code")
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return sorted(pool.map(response_of, calls))


@races
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("attempt", range(3))
def test_one_of_two_concurrent_openings_succeeds(api, smith, ada, attempt):
    appointment = make_appointment(doctor=smith)
    doctor, admin = api(smith), api(ada)
    body = {"appointment": appointment.pk}

    answers = run_concurrently(lambda: doctor.post(LIST, body), lambda: admin.post(LIST, body))

    assert answers == [(201, None), (409, "consultation_exists")]
    assert Consultation.objects.count() == 1


@races
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("step", "refused"), [(start, "invalid_transition"), (complete, "consultation_closed")]
)
def test_one_of_two_concurrent_starts_or_completions_succeeds(api, smith, ada, step, refused):
    visit = make_consultation(appointment=make_appointment_of_today(doctor=smith))
    doctor, admin = api(smith), api(ada)

    answers = run_concurrently(lambda: step(doctor, visit), lambda: step(admin, visit))

    assert answers == [(200, None), (409, refused)]
    assert visit.appointment.history.count() == 2


@races
@pytest.mark.django_db(transaction=True)
def test_a_part_written_during_completion_is_either_kept_or_refused(api, smith):
    visit = make_consultation(appointment=make_appointment_of_today(doctor=smith))
    doctor, other = api(smith), api(smith)
    notes = f"{LIST}{visit.pk}/notes/"
    note = {"note_type": "general", "content": "One more thing"}

    answers = run_concurrently(lambda: complete(doctor, visit), lambda: other.post(notes, note))

    written = ConsultationNote.objects.count()
    assert answers == [(200, None), (201, None) if written else (409, "consultation_closed")]
