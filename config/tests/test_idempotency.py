"""A request sent twice with an idempotency key is executed once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import date, time, timedelta

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from accounts import idempotency
from accounts.models import AuditEvent, Doctor, IdempotencyKey
from appointments import clock, services
from appointments.models import Appointment, TimeSlot
from appointments.slot_services import open_slot, withdraw
from appointments.tests.factories import TimeSlotFactory, make_appointment, noon
from appointments.tests.helpers import assert_data_queries, status_and_code
from config.tests.lock_waiting import requires_row_locks, run_behind_lock
from consultations.models import Consultation
from patients.tests.factories import PatientFactory

URL = "/api/appointments/"


def booking(slot, **details):
    return {"time_slot": slot.pk, "reason_for_visit": "A cough"} | details


def send(client, address, body, key="a-key-of-mine"):
    return client.post(address, body, HTTP_IDEMPOTENCY_KEY=key)


def stored_rows():
    return {
        model: model._base_manager.count()
        for model in apps.get_models()
        if model not in (IdempotencyKey, AuditEvent)
    }


def test_a_repeated_booking_is_made_once_and_answered_twice(api, clinic):
    client = api(clinic.jane)

    first = send(client, URL, booking(clinic.free))
    made = stored_rows()
    again = send(client, URL, booking(clinic.free))

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert "Idempotency-Replayed" not in first
    assert again["Idempotency-Replayed"] == "true"
    assert stored_rows() == made


def requests_of(clinic):
    """Returns (user, URL, body) of requests that create or change something, by name."""
    visit = f"{URL}{clinic.appointment.pk}/"
    new = make_appointment(doctor=clinic.house, patient=clinic.jane)
    cancelled = make_appointment("cancelled", doctor=clinic.house, patient=clinic.jane)
    consultation = f"/api/consultations/{clinic.consultation.pk}/"
    medication = {"medication_name": "Ramipril", "dosage": "5 mg", "frequency": "daily"}
    hours = {"date": "2027-05-05", "start_time": "09:00", "end_time": "10:00"}
    half_hours = hours | {"slot_duration": 30}
    return {
        "book": (clinic.jane, URL, booking(clinic.free)),
        "confirm": (clinic.house, f"{URL}{new.pk}/confirm/", {}),
        "start": (clinic.house, f"{URL}{new.pk}/start/", {}),
        "complete": (clinic.house, f"{visit}complete/", {"reason": "Done"}),
        "cancel": (clinic.jane, f"{URL}{new.pk}/cancel/", {}),
        "reschedule": (clinic.jane, f"{URL}{new.pk}/reschedule/", {"time_slot": clinic.free.pk}),
        "reopen": (clinic.house, f"{URL}{cancelled.pk}/reopen/", {"reason": "A slip"}),
        "slot": (clinic.house, "/api/time-slots/", hours),
        "slots": (clinic.house, "/api/time-slots/create_bulk_slots/", half_hours),
        "patient": (clinic.house, "/api/patients/", {"first_name": "A", "last_name": "B"}),
        "consultation": (clinic.house, "/api/consultations/", {"appointment": new.pk}),
        "close": (clinic.house, f"{consultation}complete_consultation/", {"diagnosis": "Flu"}),
        "vital signs": (clinic.house, f"{consultation}vital-signs/", {"heart_rate": 70}),
        "prescription": (
            clinic.house,
            f"{consultation}prescriptions/",
            medication | {"duration": "1 d"},
        ),
        "note": (clinic.house, f"{consultation}notes/", {"note_type": "plan", "content": "Rest"}),
    }


ON_THE_DAY = {"start", "complete", "close"}


@pytest.mark.parametrize(
    "name",
    ["book", "confirm", "start", "complete", "cancel", "reschedule", "reopen", "slot", "slots",
     "patient", "consultation", "close", "vital signs", "prescription", "note"],
)  # fmt: skip
def test_every_creating_or_changing_post_is_executed_once(api, clinic, name):
    actor, address, body = requests_of(clinic)[name]
    client = api(actor)

    with clock.frozen_at(noon(400)) if name in ON_THE_DAY else nullcontext():
        first = send(client, address, body)
        made = stored_rows()
        again = send(client, address, body)

    assert first.status_code in (200, 201), first.content
    assert again["Idempotency-Replayed"] == "true"
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert stored_rows() == made


@pytest.mark.parametrize("change", ["body", "path"])
def test_a_key_used_for_another_request_is_refused(api, clinic, change):
    client = api(clinic.jane)
    send(client, URL, booking(clinic.free))
    made = stored_rows()
    other = f"{URL}{clinic.appointment.pk}/cancel/" if change == "path" else URL
    differs = {"symptoms": "Fever"} if change == "body" else {}

    response = send(client, other, booking(clinic.free, **differs))

    assert (response.status_code, response.json()["code"]) == (422, "idempotency_key_reused")
    assert stored_rows() == made


def test_the_order_of_fields_does_not_matter(api, clinic):
    client = api(clinic.jane)
    body = booking(clinic.free)
    send(client, URL, body)

    again = send(client, URL, dict(reversed(body.items())))

    assert again["Idempotency-Replayed"] == "true"


def test_two_users_may_use_the_same_key(api, clinic):
    send(api(clinic.jane), URL, booking(clinic.free))

    response = send(api(clinic.paul), URL, booking(clinic.greys_free))

    assert response.status_code == 201
    assert "Idempotency-Replayed" not in response


def test_each_user_gets_their_own_response(api, clinic):
    send(api(clinic.jane), URL, booking(clinic.free))
    pauls = send(api(clinic.paul), URL, booking(clinic.greys_free))

    again = send(api(clinic.paul), URL, booking(clinic.greys_free))

    assert again["Idempotency-Replayed"] == "true"
    assert again.json() == pauls.json()


def test_the_same_key_with_another_method_is_another_request():
    post, put = (idempotency.fingerprint(method, URL, {}) for method in ("POST", "PUT"))

    assert post != put


def test_a_failed_request_stores_no_key(api, clinic):
    client = api(clinic.jane)
    refused = send(client, URL, booking(clinic.appointment.time_slot))
    assert refused.json()["code"] == "slot_taken"
    assert not IdempotencyKey.objects.exists()

    response = send(client, URL, booking(clinic.free))

    assert response.status_code == 201


def test_a_replay_returns_the_current_state_of_the_record(api, clinic):
    client = api(clinic.jane)
    made = send(client, URL, booking(clinic.free)).json()["data"]
    appointment = Appointment.objects.get(pk=made["id"])
    services.move(appointment, "cancel", by=clinic.house)
    make_appointment(time_slot=clinic.free, patient=clinic.paul)

    again = send(client, URL, booking(clinic.free))

    assert again.status_code == 201
    assert (again.json()["data"]["id"], again.json()["data"]["status"]) == (made["id"], "cancelled")


def test_a_replay_of_an_invisible_record_returns_no_data(api, clinic):
    client = api(clinic.house)
    body = {"first_name": "Ann", "last_name": "Lee"}
    made = send(client, "/api/patients/", body).json()["data"]
    api(clinic.ada).delete(f"/api/patients/{made['id']}/")

    again = send(client, "/api/patients/", body)

    assert again.status_code == 404
    assert "Lee" not in again.content.decode()


LOST_PERMISSIONS = {
    "the session": (
        lambda doctor: doctor.sessions.update(ended_at=timezone.now()),
        (401, "token_invalid"),
    ),
    "the account": (
        lambda doctor: Doctor.objects.filter(pk=doctor.pk).update(is_active=False),
        (401, "token_invalid"),
    ),
    "the licence": (
        lambda doctor: Doctor.objects.filter(pk=doctor.pk).update(license_verified=False),
        (403, "license_not_verified"),
    ),
}


@pytest.mark.parametrize("what", LOST_PERMISSIONS)
def test_a_replay_is_refused_after_a_loss_of_permission(api, clinic, what):
    client, body = api(clinic.house), booking(clinic.free, patient=clinic.jane.pk)
    remove_permission, expected = LOST_PERMISSIONS[what]
    assert send(client, URL, body).status_code == 201
    remove_permission(clinic.house)
    before = stored_rows()

    again = send(client, URL, body)

    assert status_and_code(again) == expected
    assert "Idempotency-Replayed" not in again
    assert "A cough" not in again.content.decode()
    assert stored_rows() == before


def test_a_replayed_bulk_creation_returns_the_visible_slots(api, clinic):
    client = api(clinic.house)
    address, body = requests_of(clinic)["slots"][1:]
    open_slot(doctor=clinic.house, date=date(2027, 5, 5), start_time=time(9), end_time=time(9, 20))
    body = body | {"end_time": "10:30"}
    first = send(client, address, body).json()["data"]
    [early, late] = [slot["id"] for slot in first["created"]]
    withdraw(TimeSlot.objects.get(pk=early))
    make_appointment(time_slot=TimeSlot.objects.get(pk=late))

    again = send(client, address, body).json()["data"]

    assert [(slot["id"], slot["is_available"]) for slot in again["created"]] == [(late, False)]
    assert again["skipped"] == first["skipped"] != []


def test_a_replay_requires_read_permission_only(api, clinic):
    client = api(clinic.house)
    visit = make_appointment(doctor=clinic.house, patient=clinic.jane)
    body = {"appointment": visit.pk}
    made = send(client, "/api/consultations/", body).json()["data"]
    Consultation.objects.filter(pk=made["id"]).update(
        doctor=clinic.grey
    )  # the care relationship remains

    again = send(client, "/api/consultations/", body)

    assert (again.status_code, again.json()["data"]["id"]) == (201, made["id"])


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_1_to_255_characters(api, clinic, key):
    response = send(api(clinic.jane), URL, booking(clinic.free), key=key)

    assert response.status_code == 400
    assert list(response.json()["errors"]) == ["Idempotency-Key"]
    assert not clinic.free.appointments.exists()


def test_a_key_expires_after_a_day(api, clinic):
    client = api(clinic.jane)
    send(client, URL, booking(clinic.free))
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=24, seconds=1))

    other = send(client, URL, booking(clinic.greys_free))

    assert other.status_code == 201
    assert "Idempotency-Replayed" not in other
    assert send(client, URL, booking(clinic.greys_free))["Idempotency-Replayed"] == "true"


@pytest.mark.parametrize(("seconds", "replayed"), [(-5, True), (1, False)])
def test_a_key_is_valid_for_24_hours(api, clinic, seconds, replayed):
    client, body = api(clinic.jane), booking(clinic.free)
    send(client, URL, body)
    age = timedelta(hours=24, seconds=seconds)
    IdempotencyKey.objects.update(created_at=timezone.now() - age)

    again = send(client, URL, body)

    assert ("Idempotency-Replayed" in again) == replayed
    assert again.status_code == (201 if replayed else 409)  # the patient already holds the slot


def test_prune_deletes_expired_keys(api, clinic, capsys):
    client = api(clinic.jane)
    send(client, URL, booking(clinic.free), key="old")
    IdempotencyKey.objects.update(created_at=timezone.now() - timedelta(hours=25))
    send(client, URL, booking(clinic.greys_free), key="new")

    call_command("prune")

    assert list(IdempotencyKey.objects.values_list("key", flat=True)) == ["new"]
    assert "1 key" in capsys.readouterr().out


@pytest.mark.parametrize("who", ["jane", "house", "ada"])
def test_a_booking_with_a_key_costs_two_more_queries(api, clinic, who):
    client = api(getattr(clinic, who))
    named = {} if who == "jane" else {"patient": clinic.paul.pk}

    with assert_data_queries(10 if who == "jane" else 11):
        response = send(client, URL, booking(clinic.free, **named))

    assert response.status_code == 201


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no row locks")
@pytest.mark.django_db(transaction=True)
def test_concurrent_requests_with_one_key_get_one_response(api):
    slot, patient = TimeSlotFactory(), PatientFactory()
    clients = [api(patient) for _ in range(8)]

    def send_booking(client):
        try:
            return send(client, URL, booking(slot))
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send_booking, clients))

    assert [answer.status_code for answer in answers] == [201] * 8
    assert len({answer.json()["data"]["id"] for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer for answer in answers) == 7
    assert slot.appointments.count() == 1


@requires_row_locks
@pytest.mark.parametrize("is_there_from_before", [False, True])
@pytest.mark.parametrize(
    ("limit", "expected"),
    [("lock_timeout", (409, "request_in_progress")), ("statement_timeout", (503, "unavailable"))],
)
@pytest.mark.django_db(transaction=True)
def test_a_lock_timeout_behind_the_first_request_is_reported(
    api, limit, expected, is_there_from_before
):
    """Only a lock timeout means that the first request is still running.

    The first request inserts the key's row or reclaims an expired one.
    """
    slot, patient = TimeSlotFactory(), PatientFactory()
    if is_there_from_before:
        IdempotencyKey.objects.create(
            user=patient,
            key="a-key-of-mine",
            fingerprint="old",
            created_at=timezone.now() - timedelta(hours=25),
        )
    client, answers = api(patient), []

    def book_with_short_timeout():
        client.get(URL)
        with connection.cursor() as cursor:
            cursor.execute(f"SET {limit} = 200")
        answers.append(send(client, URL, booking(slot)))

    waited, _ = run_behind_lock(
        lambda: idempotency.claim(user=patient, key="a-key-of-mine", fingerprint="mark"),
        book_with_short_timeout,
        second_times_out=True,
    )

    [answer] = answers
    assert waited
    assert (answer.status_code, answer.json()["code"]) == expected
    assert int(answer["Retry-After"]) > 0
    assert not slot.appointments.exists()
