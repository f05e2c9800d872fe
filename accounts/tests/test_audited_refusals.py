"""The audit events of refused requests: which records they name, and who finds them."""

from uuid import UUID

import pytest
from django.urls import reverse

from accounts.models import Action, AuditEvent, Outcome
from accounts.tests.helpers import data, status_and_code
from appointments import services as appointments
from appointments.tests.factories import TimeSlotFactory, make_appointment
from consultations.tests.factories import MEDICATION, make_consultation
from patients.models import Patient

pytestmark = pytest.mark.django_db


@pytest.fixture
def refusals():
    """Returns the refusals that were written since the last call, as (event, action, ids, …)."""
    seen = set(AuditEvent.objects.values_list("pk", flat=True))

    def events():
        found = AuditEvent.objects.filter(outcome=Outcome.REFUSED).exclude(pk__in=seen)
        found = list(found.order_by("pk"))
        seen.update(event.pk for event in found)
        return [(one.event, one.action, one.records, one.patients) for one in found]

    return events


# --- A conflict tells something of a patient ------------------------------------------------


def test_an_allergy_conflict_names_the_consultation_and_its_patient(api, house, jane, refusals):
    visit = make_consultation(doctor=house, patient=jane)
    body = MEDICATION | {"medication_name": "Penicillin"}

    answer = api(house).post(f"/api/consultations/{visit.pk}/prescriptions/", body)

    assert status_and_code(answer) == (409, "allergy_conflict")
    assert refusals() == [
        ("consultation-prescriptions.create", Action.READ, [f"consultation/{visit.pk}"], [jane.pk])
    ]


def test_an_overlap_of_the_patient_names_the_patient_and_the_slot(api, house, grey, jane, refusals):
    visit = make_appointment(patient=jane, doctor=grey)
    slot = TimeSlotFactory(doctor=house, starts_at=visit.starts_at)
    body = {"patient": jane.pk, "time_slot": slot.pk, "reason_for_visit": "A cough"}

    answer = api(house).post("/api/appointments/", body)

    assert status_and_code(answer) == (409, "patient_overlap")
    [(event, action, records, patients)] = refusals()
    assert (event, action, patients) == ("appointment.create", Action.READ, [jane.pk])
    assert sorted(records) == [f"patient/{jane.pk}", f"timeslot/{slot.pk}"]


def test_a_second_consultation_names_the_appointment(api, house, jane, refusals):
    visit = make_consultation(doctor=house, patient=jane).appointment

    answer = api(house).post("/api/consultations/", {"appointment": visit.pk})

    assert status_and_code(answer) == (409, "consultation_exists")
    assert refusals() == [
        ("consultation.create", Action.READ, [f"appointment/{visit.pk}"], [jane.pk])
    ]


def test_an_impossible_move_names_the_appointment(api, house, jane, refusals):
    visit = make_appointment("cancelled", doctor=house, patient=jane)

    answer = api(house).post(f"/api/appointments/{visit.pk}/complete/")

    assert status_and_code(answer) == (409, "invalid_transition")
    assert refusals() == [
        ("appointment.complete", Action.READ, [f"appointment/{visit.pk}"], [jane.pk])
    ]


def test_a_conflict_is_in_the_access_log_of_its_patient(api, house, jane, ada):
    visit = make_consultation(doctor=house, patient=jane)
    body = MEDICATION | {"medication_name": "Penicillin"}
    api(house).post(f"/api/consultations/{visit.pk}/prescriptions/", body)

    row = data(api(jane).get(f"/api/patients/{jane.pk}/access-log/"))["results"][0]

    assert (row["actor"], row["action"], row["kinds"]) == (house.pk, "read", ["consultation"])


def test_the_conflict_of_a_slot_names_nobody(api, house, jane, refusals):
    visit = make_appointment(patient=jane, doctor=house)

    answer = api(house).delete(f"/api/time-slots/{visit.time_slot_id}/")

    assert status_and_code(answer) == (409, "slot_in_use")
    assert refusals() == []


def test_a_list_action_refused_for_some_rows_names_them(admin_client, house, jane, omar, refusals):
    over = make_appointment("cancelled", doctor=house, patient=jane)
    open_still = make_appointment(doctor=house, patient=omar)

    admin_client.post(
        reverse("admin:appointments_appointment_changelist"),
        {"action": "confirm_chosen", "_selected_action": [over.pk, open_still.pk]},
    )

    changes = AuditEvent.objects.filter(event="appointment.confirm")
    assert [event.patients for event in changes] == [[omar.pk]]
    assert refusals() == [
        (
            "desk.appointments_appointment_changelist",
            Action.READ,
            [f"appointment/{over.pk}"],
            [jane.pk],
        )
    ]


# --- A refusal keeps the id that was tried --------------------------------------------------


@pytest.mark.parametrize(
    ("address", "event", "records"),
    [
        ("/api/appointments/{visit}/", "appointment.retrieve", ["appointment/{visit}"]),
        ("/api/appointments/987654/", "appointment.retrieve", ["appointment/987654"]),
        ("/api/patients/{jane}/", "patient.retrieve", ["patient/{jane}"]),
        (
            "/api/patients/{jane}/consultations/",
            "patient-consultations.list",
            ["patient/{jane}"],
        ),
        (
            "/api/consultations/987/notes/654/",
            "consultation-notes.retrieve",
            ["consultation/987", "consultationnote/654"],
        ),
        ("/api/time-slots/987654/", "timeslot.retrieve", ["timeslot/987654"]),
        (f"/api/appointments/{'9' * 41}/", "appointment.retrieve", []),
    ],
)
def test_a_hidden_or_missing_record_is_named_by_its_id(
    api, house, jane, omar, refusals, address, event, records
):
    ids = {"visit": make_appointment(patient=jane, doctor=house).pk, "jane": jane.pk}

    answer = api(omar).get(address.format(**ids))

    assert status_and_code(answer) == (404, "not_found")
    expected = [reference.format(**ids) for reference in records]
    assert refusals() == [(event, Action.EXECUTE, expected, [])]


def test_a_session_is_named_by_its_uuid(api, jane, refusals):
    session = UUID(int=7)

    api(jane).delete(f"/api/auth/sessions/{session}/")

    assert refusals() == [("session.destroy", Action.EXECUTE, [f"session/{session}"], [])]


def test_a_forbidden_action_names_its_record(api, jane, house, refusals):
    visit = make_appointment(patient=jane, doctor=house)

    answer = api(jane).post(f"/api/appointments/{visit.pk}/confirm/")

    assert status_and_code(answer) == (403, "permission_denied")
    assert refusals() == [("appointment.confirm", Action.EXECUTE, [f"appointment/{visit.pk}"], [])]


def test_each_id_that_somebody_tries_is_an_event_and_a_repetition_is_none(api, omar, refusals):
    client = api(omar)

    for number in (7001, 7002, 7003, 7002):
        client.get(f"/api/appointments/{number}/")

    assert [records for _, _, records, _ in refusals()] == [
        ["appointment/7001"],
        ["appointment/7002"],
        ["appointment/7003"],
    ]


def test_a_stranger_writes_one_event_a_minute_whatever_they_try(api, refusals):
    for number in (7001, 7002, 7003):
        api().get(f"/api/appointments/{number}/")

    assert [records for _, _, records, _ in refusals()] == [["appointment/7001"]]


@pytest.mark.parametrize(
    ("page", "records"),
    [
        ("patients/patient/{jane}/change/", ["patient/{jane}"]),
        ("patients/patient/987654/deactivate/", ["patient/987654"]),
        ("patients/patient/Jane Doe/change/", []),
        ("patients/patient/", []),
    ],
)
def test_a_page_of_the_admin_keeps_the_id_too(client, house, jane, refusals, page, records):
    client.force_login(house)

    answer = client.get(f"/admin/{page.format(jane=jane.pk)}")

    assert answer.status_code == 302
    [(_event, action, tried, patients)] = refusals()
    assert (action, patients) == (Action.EXECUTE, [])
    assert tried == [reference.format(jane=jane.pk) for reference in records]


def test_a_refusal_of_the_database_is_named_too(api, house, grey, jane, refusals, monkeypatch):
    """Only the constraint notices an overlap that was committed after the check."""
    visit = make_appointment(patient=jane, doctor=grey)
    slot = TimeSlotFactory(doctor=house, starts_at=visit.starts_at)
    monkeypatch.setattr(appointments, "conflicting_slots", lambda slot, patient: set())
    body = {"patient": jane.pk, "time_slot": slot.pk, "reason_for_visit": "A cough"}

    answer = api(house).post("/api/appointments/", body)

    assert status_and_code(answer) == (409, "patient_overlap")
    assert [patients for _, _, _, patients in refusals()] == [[jane.pk]]


def test_allergies_are_not_in_the_event(api, house, jane):
    visit = make_consultation(doctor=house, patient=jane)
    Patient.objects.filter(pk=jane.pk).update(allergies="Xylometazoline")
    body = MEDICATION | {"medication_name": "Xylometazoline"}

    api(house).post(f"/api/consultations/{visit.pk}/prescriptions/", body)

    event = AuditEvent.objects.latest("pk")
    assert event.outcome == Outcome.REFUSED
    assert "Xylometazoline" not in str(vars(event))
