"""Audit events of requests and of service calls outside a request."""

from datetime import date, time

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import licences
from accounts.models import Action, AuditEvent, Outcome
from accounts.tests.factories import PASSWORD
from accounts.tests.helpers import data
from appointments import services as appointments
from appointments import slot_services
from appointments.tests.factories import TimeSlotFactory, make_appointment, on_the_day
from config.clinical_records import record_of
from config.db.transactions import atomic_with_retry
from consultations import services as consultations
from consultations.models import Consultation
from consultations.tests.factories import add_parts, make_consultation
from patients.services import create_patient, deactivate
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

HOURS = {"date": date(2027, 5, 5), "start_time": time(9), "end_time": time(9, 30)}


@pytest.fixture
def visit(jane, house, ada):
    return make_appointment(patient=jane, doctor=house, by=ada)


@pytest.fixture
def new_events():
    """Returns the events written since the last call, oldest first."""
    seen = set(AuditEvent.objects.values_list("pk", flat=True))

    def events():
        found = list(AuditEvent.objects.exclude(pk__in=seen).order_by("pk"))
        seen.update(event.pk for event in found)
        return found

    return events


def single(events):
    (event,) = events
    return event


def test_a_change_records_actor_fields_patient_and_origin(api, visit, jane, house, new_events):
    client = api(house)
    new_events()

    response = client.post(
        f"/api/appointments/{visit.pk}/confirm/", headers={"X-Request-ID": "request-17"}
    )

    data(response)
    event = single(new_events())
    assert (event.actor, event.role) == (house.pk, "doctor")
    assert event.session == str(house.sessions.get().pk)
    assert (event.event, event.action) == ("appointment.confirm", Action.UPDATE)
    assert event.records == [f"appointment/{visit.pk}"]
    assert event.patients == [jane.pk]
    assert event.changed == ["status"]
    assert event.outcome == Outcome.SUCCESS
    assert (event.request_id, event.address) == ("request-17", "127.0.0.1")


def test_a_list_is_one_event_naming_each_record_of_the_page(api, house, jane, new_events):
    paul = PatientFactory()
    first, second = (
        make_appointment(doctor=house, patient=jane),
        make_appointment(doctor=house, patient=paul),
    )
    make_appointment()  # of other people
    client = api(house)
    new_events()

    data(client.get("/api/appointments/"))

    event = single(new_events())
    assert (event.event, event.action) == ("appointment.list", Action.READ)
    assert set(event.records) == {f"appointment/{first.pk}", f"appointment/{second.pk}"}
    assert event.patients == [jane.pk, paul.pk]


def test_an_empty_list_is_an_event(api, house, new_events):
    client = api(house)
    new_events()

    data(client.get("/api/consultations/"))

    event = single(new_events())
    assert (event.event, event.records, event.patients) == ("consultation.list", [], [])


@pytest.mark.parametrize("part", [record.route for record in record_of(Consultation).parts])
def test_reading_consultation_parts_names_the_patient(api, jane, house, ada, new_events, part):
    consultation = add_parts(make_consultation(patient=jane, doctor=house, by=ada))
    client = api(house)
    new_events()

    data(client.get(f"/api/consultations/{consultation.pk}/{part}/"))

    event = single(new_events())
    assert event.patients == [jane.pk]
    assert event.records


@pytest.mark.parametrize(
    "address",
    [
        "/api/consultations/{consultation}/notes/",
        "/api/patients/{patient}/appointments/",
        "/api/patients/{patient}/consultations/",
        "/api/patients/{patient}/emergency-access/",
        "/api/patients/{patient}/access-log/",
    ],
)
def test_an_empty_nested_list_names_the_patient(api, jane, new_events, address):
    paul = PatientFactory()
    consultation = make_consultation(patient=paul if "patients" in address else jane)
    client = api(jane)
    new_events()

    data(client.get(address.format(consultation=consultation.pk, patient=jane.pk)))

    assert single(new_events()).patients == [jane.pk]


def test_reading_non_patient_data_writes_no_event(api, jane, new_events):
    TimeSlotFactory()
    client = api(jane)
    new_events()

    for address in ("/api/time-slots/", "/api/doctors/", "/api/auth/sessions/"):
        data(client.get(address))

    assert new_events() == []


def test_a_patient_profile_read_is_audited_and_a_doctor_profile_read_is_not(
    api, jane, house, new_events
):
    jane_client, house_client = api(jane), api(house)
    new_events()

    data(jane_client.get("/api/auth/profile/"))
    data(house_client.get("/api/auth/profile/"))

    event = single(new_events())
    assert (event.actor, event.event, event.patients) == (jane.pk, "auth.profile", [jane.pk])


def test_a_change_without_effect_is_audited_as_a_read(api, visit, house, new_events):
    client = api(house)
    new_events()

    data(client.patch(f"/api/appointments/{visit.pk}/", {"symptoms": visit.symptoms}))

    assert single(new_events()).action == Action.READ


def test_an_idempotent_retry_is_audited_as_a_read(api, visit, house, new_events):
    client = api(house)
    address, key = f"/api/appointments/{visit.pk}/confirm/", {"Idempotency-Key": "k"}
    new_events()

    data(client.post(address, headers=key))
    data(client.post(address, headers=key))

    assert [(event.event, event.action) for event in new_events()] == [
        ("appointment.confirm", Action.UPDATE),
        ("appointment.confirm", Action.READ),
    ]


def test_nested_service_calls_are_one_event_named_by_the_outermost(jane, house, ada, new_events):
    consultation = make_consultation(patient=jane, doctor=house, by=ada)
    new_events()

    with on_the_day(consultation.appointment):
        consultations.start(consultation, by=house)

    event = single(new_events())
    assert event.event == "consultation.start"
    assert event.records == [
        f"appointment/{consultation.appointment_id}",
        f"consultation/{consultation.pk}",
    ]
    assert event.changed == ["started_at", "status"]


def test_deactivating_a_patient_names_the_cancelled_appointments(jane, ada, visit, new_events):
    new_events()

    deactivate(jane, by=ada)

    event = single(new_events())
    assert (event.event, event.action) == ("patient.close", Action.DELETE)
    assert sorted(event.records) == [f"appointment/{visit.pk}", f"patient/{jane.pk}"]


def test_a_service_call_outside_a_request_names_its_by_argument(visit, house, new_events):
    new_events()

    appointments.move(visit, "confirm", by=house)

    event = single(new_events())
    assert (event.actor, event.role) == (house.pk, "doctor")
    assert (event.session, event.request_id, event.address) == ("", "", "")


def test_a_rejected_change_writes_no_change(api, visit, house, new_events):
    client = api(house)
    appointments.move(visit, "cancel", by=house)
    new_events()

    response = client.post(f"/api/appointments/{visit.pk}/complete/")

    assert response.status_code == 409
    assert [(event.action, event.outcome) for event in new_events()] == [
        (Action.READ, Outcome.REFUSED)
    ]


def test_a_rolled_back_part_drops_its_event_and_keeps_the_rest(visit, house, new_events):
    new_events()

    @atomic_with_retry
    def whole():
        with pytest.raises(ValidationError):
            part()
        appointments.update(visit, by=house, doctor_notes="Well")

    @atomic_with_retry
    def part():
        appointments.move(visit, "confirm", by=house)
        raise ValidationError("no")

    whole()

    event = single(new_events())
    assert (event.event, event.changed) == ("appointment.updated", ["doctor_notes"])


def test_an_event_is_rolled_back_with_its_change(visit, house, new_events):
    new_events()

    with transaction.atomic():
        appointments.move(visit, "confirm", by=house)
        transaction.set_rollback(True)

    assert new_events() == []


# --- Login ----------------------------------------------------------------------------------


def test_login_and_logout_are_audited(api, jane, new_events):
    tokens = data(api().post("/api/auth/login/", {"username": "jane", "password": PASSWORD}))
    session = jane.sessions.get()
    api().post("/api/auth/logout/", {"refresh": tokens["refresh"]})

    opened, ended = new_events()
    assert (opened.event, opened.action, opened.actor) == ("session.open", "C", jane.pk)
    assert (ended.event, ended.action, ended.actor) == ("session.end", "D", jane.pk)
    assert opened.records == ended.records == [f"session/{session.pk}"]


def test_admin_login_and_logout_are_audited(client, ada, new_events):
    client.post("/admin/login/", {"username": "ada", "password": PASSWORD})
    client.post("/admin/logout/")

    assert [(event.event, event.actor) for event in new_events()][:2] == [
        ("session.open", ada.pk),
        ("session.end", ada.pk),
    ]


@pytest.mark.parametrize("address", ["/api/auth/login/", "/admin/login/", "/api-auth/login/"])
def test_a_wrong_password_is_audited_without_an_actor(client, jane, new_events, address):
    json = {"content_type": "application/json"} if address.startswith("/api/") else {}
    client.post(address, {"username": "jane", "password": "wrong"}, **json)

    event = single(new_events())
    assert (event.outcome, event.actor, event.address) == ("refused", None, "127.0.0.1")


def test_repeated_denials_are_one_event_for_each_caller_and_endpoint(api, jane, visit, new_events):
    anonymous, caller = api(), api(PatientFactory())
    new_events()

    for _ in range(5):
        anonymous.get("/api/appointments/")
        caller.get(f"/api/appointments/{visit.pk}/")
        caller.get("/api/patients/")

    events = new_events()
    assert [event.event for event in events] == [
        "appointment.list",
        "appointment.retrieve",
        "patient.list",
    ]
    assert {event.outcome for event in events} == {"refused"}
    assert [event.actor is None for event in events] == [True, False, False]


# --- Services without an endpoint -----------------------------------------------------------


def test_services_without_an_endpoint_write_events(ada, house, nils, new_events):
    patient = create_patient(by=ada, first_name="Ann", last_name="Lee")
    licences.verify_licence(nils)
    slot = slot_services.open_slot(doctor=house, **HOURS)
    slot_services.change_slot(slot, end_time=HOURS["end_time"].replace(minute=45))
    slot_services.withdraw(slot)
    consultation = consultations.open_walk_in(
        patient=patient, doctor=house, chief_complaint="A cough", by=house
    )
    consultations.add_note(consultation, by=house, note_type="plan", content="Rest")
    consultations.complete(consultation, by=house, diagnosis="Flu")

    assert [event.event for event in new_events()] == [
        "patient.create",
        "account.verify_licence",
        "timeslot.open",
        "timeslot.change",
        "timeslot.withdraw",
        "consultation.open",
        "consultationnote.add",
        "consultation.complete",
    ]
