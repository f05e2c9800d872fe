"""A completed consultation is open again, with its appointment."""

from datetime import timedelta

import pytest

from accounts.models import AuditEvent
from appointments import clock
from appointments import services as appointments
from appointments.lifecycle import Stage
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import on_the_day
from appointments.tests.helpers import all_rows, data, error_details, status_and_code
from consultations import services
from consultations.models import Consultation, Prescription
from consultations.tests.factories import MEDICATION

LIST = "/api/consultations/"
MOUNTS = [LIST, "/api/consultations/api/consultations/"]
REASON = {"reason": "The dose of the warfarin is wrong"}
ROWS = Consultation, Appointment, AppointmentHistory


def reopen(client, visit, mount=LIST, **headers):
    return client.post(f"{mount}{visit.pk}/reopen/", REASON, headers=headers)


@pytest.fixture
def done(visit, smith):
    """Jane's consultation with Dr. Smith, started and completed with its appointment."""
    services.start(visit, by=smith)
    return services.complete(visit, by=smith, diagnosis="Gout")


@pytest.mark.parametrize("mount", MOUNTS)
@pytest.mark.parametrize("actor", ["smith", "ada"])
def test_a_completed_consultation_is_open_again_with_its_appointment(
    api, actor, mount, done, request
):
    actor = request.getfixturevalue(actor)

    response = reopen(api(actor), done, mount)

    shown = data(response)
    assert response.json()["message"] == "Consultation reopened."
    assert (shown["status"], shown["ended_at"], shown["diagnosis"]) == ("in_progress", None, "Gout")
    assert shown["started_at"] is not None
    assert data(api(actor).get(f"{LIST}{done.pk}/")) == shown
    done.appointment.refresh_from_db()
    assert (done.appointment.status, done.appointment.consultation_stage) == (
        "in_progress",
        Stage.STARTED,
    )
    entry = done.appointment.history.last()
    assert (entry.action, entry.from_status, entry.to_status, entry.reason, entry.changed_by) == (
        "reopen",
        "completed",
        "in_progress",
        REASON["reason"],
        actor,
    )
    version = done.history.latest()
    assert (version.history_user, version.ended_at, version.reopen_reason) == (
        actor,
        None,
        REASON["reason"],
    )
    event = AuditEvent.objects.filter(event="consultation.reopen").get()
    assert (event.actor, event.patients) == (actor.pk, [done.patient_id])
    assert {"ended_at", "reopen_reason", "status"} <= set(event.changed)
    assert REASON["reason"] not in str(vars(event))


def test_the_wrong_dose_is_stopped_and_replaced_and_the_visit_completed_again(api, smith, visit):
    wrong = services.prescribe(visit, by=smith, **MEDICATION)
    done, client = services.complete(visit, by=smith), api(smith)

    data(reopen(client, done))
    data(client.post(f"{LIST}{done.pk}/prescriptions/", MEDICATION | {"dosage": "2 mg"}), 201)
    data(client.patch(f"{LIST}{done.pk}/prescriptions/{wrong.pk}/", {"is_active": False}))
    shown = data(client.post(f"{LIST}{done.pk}/complete_consultation/", {}))

    assert shown["status"] == "completed"
    active = Prescription.objects.filter(is_active=True)
    assert [one.dosage for one in active] == ["2 mg"]
    done.appointment.refresh_from_db()
    assert done.appointment.status == "completed"


@pytest.mark.parametrize("status", ["scheduled", "confirmed"])
def test_a_visit_that_was_completed_without_a_start_returns_to_its_status(
    api, smith, visit, status
):
    if status == "confirmed":
        appointments.move(visit.appointment, "confirm", by=smith)
    done = services.complete(visit, by=smith)

    shown = data(reopen(api(smith), done))

    done.appointment.refresh_from_db()
    assert (shown["status"], done.appointment.status) == ("scheduled", status)
    assert done.appointment.consultation_stage == Stage.NONE


def test_a_walk_in_is_reopened(api, smith, jane):
    walk_in = services.open_walk_in(patient=jane, doctor=smith, chief_complaint="A cut", by=smith)
    services.complete(walk_in, by=smith)

    assert data(reopen(api(smith), walk_in))["status"] == "scheduled"


@pytest.mark.parametrize(
    ("caller", "expected"),
    [
        (None, (401, "not_authenticated")),
        ("jane", (403, "permission_denied")),
        ("nils", (403, "license_not_verified")),
        ("meyer", (404, "not_found")),
    ],
)
def test_others_cannot_reopen_or_learn_if_it_exists(api, done, caller, expected, request):
    client = api(caller and request.getfixturevalue(caller))
    before = all_rows(*ROWS)

    answers = [client.post(f"{LIST}{pk}/reopen/", REASON) for pk in (done.pk, 999_999)]

    assert [status_and_code(answer) for answer in answers] == [expected] * 2
    assert all_rows(*ROWS) == before


@pytest.mark.parametrize(
    ("who", "hours", "expected"),
    [
        ("smith", timedelta(hours=72), 200),
        ("smith", timedelta(hours=72, seconds=1), 409),
        ("ada", timedelta(hours=999), 200),
    ],
)
def test_the_time_limit_counts_from_the_completion(who, hours, expected, api, done, request):
    with clock.frozen_at(done.ended_at + hours):
        response = reopen(api(request.getfixturevalue(who)), done)

    assert response.status_code == expected


def test_the_appointment_is_reopened_with_it_though_it_was_completed_long_before(api, smith, visit):
    appointments.move(visit.appointment, "complete", by=smith)
    with clock.frozen_at(clock.now() + timedelta(hours=100)):
        done = services.complete(visit, by=smith)
        data(reopen(api(smith), done))

    done.appointment.refresh_from_db()
    assert done.appointment.status == "scheduled"


def test_an_open_consultation_is_refused_with_the_reason(api, smith, visit):
    sentence = "This consultation is not completed, so there is nothing to reopen."

    refused = error_details(reopen(api(smith), visit))

    assert refused == (409, "invalid_transition", {"status": [sentence]})


def test_if_match_and_idempotency_keys_are_observed(api, smith, done):
    client, version = api(smith), Consultation.objects.get().version

    stale = reopen(client, done, if_match=f'"{version - 1}"')
    answers = [
        reopen(client, done, if_match=f'W/"{version}"', idempotency_key="one") for _ in range(2)
    ]

    assert status_and_code(stale) == (412, "stale_version")
    assert [data(answer)["status"] for answer in answers] == ["in_progress"] * 2
    assert done.appointment.history.filter(action="reopen").count() == 1


def test_the_admin_reopens_both_with_a_reason(client, ada, done):
    client.force_login(ada)
    page = f"/admin/consultations/consultation/{done.pk}"

    assert "/reopen/" in client.get(f"{page}/change/").content.decode()
    response = client.post(f"{page}/reopen/", REASON)

    assert response.url == f"{page}/change/"
    assert Consultation.objects.get().ended_at is None
    assert done.appointment.history.last().reason == REASON["reason"]


def test_the_admin_reopens_an_appointment_with_a_reason(client, ada, smith, appointment):
    client.force_login(ada)
    appointments.move(appointment, "complete", by=smith)
    page = f"/admin/appointments/appointment/{appointment.pk}"

    assert "/reopen/" in client.get(f"{page}/change/").content.decode()
    response = client.post(f"{page}/reopen/", REASON)

    assert response.url == f"{page}/change/"
    entry = appointment.history.last()
    assert (entry.action, entry.to_status, entry.reason, entry.changed_by_id) == (
        "reopen",
        "scheduled",
        REASON["reason"],
        ada.pk,
    )


# --- Prescriptions --------------------------------------------------------------------------


@pytest.mark.parametrize("mount", MOUNTS)
def test_a_prescription_is_stopped_after_the_visit_is_closed(api, smith, visit, mount):
    drug = services.prescribe(visit, by=smith, **MEDICATION)
    with on_the_day(visit.appointment):
        services.complete(visit, by=smith)
    address = f"{mount}{visit.pk}/prescriptions/{drug.pk}/"

    assert data(api(smith).patch(address, {"is_active": False}))["is_active"] is False
    resumed = api(smith).patch(address, {"is_active": True})
    assert status_and_code(resumed) == (409, "consultation_closed")


def test_resuming_against_an_allergy_needs_a_reason_which_is_kept(api, smith, jane, visit):
    drug = services.prescribe(visit, by=smith, **MEDICATION)
    services.set_active(drug, by=smith, is_active=False)
    type(jane).objects.filter(pk=jane.pk).update(allergies="Ramipril")
    address, client = f"{LIST}{visit.pk}/prescriptions/{drug.pk}/", api(smith)

    refused = client.patch(address, {"is_active": True})
    resumed = client.patch(address, {"is_active": True, "override_reason": "Tested"})

    assert status_and_code(refused) == (409, "allergy_conflict")
    assert refused.json()["details"] == {"matches": ["Ramipril"]}
    assert (data(resumed)["is_active"], data(resumed)["override_reason"]) == (True, "Tested")
    assert drug.history.latest().override_reason == "Tested"
