"""What is written down of each request, and of work that no request asked for."""

from datetime import date, time

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts import services
from accounts.models import Action, AuditEvent, Outcome
from accounts.tests.factories import PASSWORD, AdminFactory, DoctorFactory
from accounts.tests.helpers import data
from appointments import services as appointments
from appointments import slot_services
from appointments.tests.factories import TimeSlotFactory, an_appointment
from config.db.transactions import atomic_with_retry
from consultations import services as consultations
from consultations.tests.factories import a_consultation, with_parts
from patients.services import create_patient, deactivate
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

HOURS = {"date": date(2027, 5, 5), "start_time": time(9), "end_time": time(9, 30)}


@pytest.fixture
def jane():
    return PatientFactory(username="jane")


@pytest.fixture
def house():
    return DoctorFactory(username="house")


@pytest.fixture
def ada():
    return AdminFactory(username="ada")


@pytest.fixture
def visit(jane, house, ada):
    return an_appointment(patient=jane, doctor=house, by=ada)


@pytest.fixture
def new():
    """The events written since it was asked last, oldest first."""
    seen = set(AuditEvent.objects.values_list("pk", flat=True))

    def events():
        found = list(AuditEvent.objects.exclude(pk__in=seen).order_by("pk"))
        seen.update(event.pk for event in found)
        return found

    return events


def only(events):
    (event,) = events
    return event


def test_a_change_says_who_changed_what_of_whom_and_from_where(api, visit, jane, house, new):
    client = api(house)
    new()

    response = client.post(
        f"/api/appointments/{visit.pk}/confirm/", headers={"X-Request-ID": "of-the-desk-17"}
    )

    data(response)
    event = only(new())
    assert (event.actor, event.role) == (house.pk, "doctor")
    assert event.session == str(house.sessions.get().pk)
    assert (event.event, event.action) == ("appointment.confirm", Action.UPDATE)
    assert event.records == [f"appointment/{visit.pk}"]
    assert event.patients == [jane.pk]
    assert event.changed == ["status"]
    assert event.outcome == Outcome.SUCCESS
    assert (event.request_id, event.address) == ("of-the-desk-17", "127.0.0.1")


def test_a_list_is_one_event_that_names_each_record_of_the_page(api, house, jane, new):
    paul = PatientFactory()
    first, second = (
        an_appointment(doctor=house, patient=jane),
        an_appointment(doctor=house, patient=paul),
    )
    an_appointment()  # of others
    client = api(house)
    new()

    data(client.get("/api/appointments/"))

    event = only(new())
    assert (event.event, event.action) == ("appointment.list", Action.READ)
    assert set(event.records) == {f"appointment/{first.pk}", f"appointment/{second.pk}"}
    assert event.patients == [jane.pk, paul.pk]


def test_an_empty_list_is_an_event_too(api, house, new):
    client = api(house)
    new()

    data(client.get("/api/consultations/"))

    event = only(new())
    assert (event.event, event.records, event.patients) == ("consultation.list", [], [])


@pytest.mark.parametrize("part", ["vital-signs", "prescriptions", "notes"])
def test_parts_are_read_in_the_name_of_their_patient(api, jane, house, ada, new, part):
    room = with_parts(a_consultation(patient=jane, doctor=house, by=ada))
    client = api(house)
    new()

    data(client.get(f"/api/consultations/{room.pk}/{part}/"))

    event = only(new())
    assert event.patients == [jane.pk]
    assert event.records


@pytest.mark.parametrize(
    "address",
    [
        "/api/consultations/{room}/notes/",
        "/api/patients/{patient}/consultations/",
        "/api/patients/{patient}/emergency-access/",
        "/api/patients/{patient}/access-log/",
    ],
)
def test_nothing_found_below_a_record_is_read_in_the_name_of_its_patient(api, jane, new, address):
    paul = PatientFactory()
    room = a_consultation(patient=paul if "patients" in address else jane)
    client = api(jane)
    new()

    data(client.get(address.format(room=room.pk, patient=jane.pk)))

    assert only(new()).patients == [jane.pk]


def test_what_is_no_patient_s_is_read_without_an_event(api, jane, new):
    TimeSlotFactory()
    client = api(jane)
    new()

    for address in ("/api/time-slots/", "/api/doctors/", "/api/auth/sessions/"):
        data(client.get(address))

    assert new() == []


def test_a_patient_s_own_profile_is_clinical_and_a_doctor_s_is_not(api, jane, house, new):
    of_jane, of_house = api(jane), api(house)
    new()

    data(of_jane.get("/api/auth/profile/"))
    data(of_house.get("/api/auth/profile/"))

    event = only(new())
    assert (event.actor, event.event, event.patients) == (jane.pk, "auth.profile", [jane.pk])


def test_a_request_without_effect_is_a_read(api, visit, house, new):
    client = api(house)
    new()

    data(client.patch(f"/api/appointments/{visit.pk}/", {"symptoms": visit.symptoms}))

    assert only(new()).action == Action.READ


def test_the_same_request_again_is_a_read(api, visit, house, new):
    client = api(house)
    address, key = f"/api/appointments/{visit.pk}/confirm/", {"Idempotency-Key": "k"}
    new()

    data(client.post(address, headers=key))
    data(client.post(address, headers=key))

    assert [(event.event, event.action) for event in new()] == [
        ("appointment.confirm", Action.UPDATE),
        ("appointment.confirm", Action.READ),
    ]


def test_work_with_several_parts_is_one_event_under_the_name_of_the_whole(jane, house, ada, new):
    room = a_consultation(patient=jane, doctor=house, by=ada)
    new()

    consultations.start(room, by=house)

    event = only(new())
    assert event.event == "consultation.start"
    assert event.records == [f"appointment/{room.appointment_id}", f"consultation/{room.pk}"]
    assert event.changed == ["started_at", "status"]


def test_closing_a_record_names_the_appointments_it_cancels(jane, ada, visit, new):
    new()

    deactivate(jane, by=ada)

    event = only(new())
    assert (event.event, event.action) == ("patient.close", Action.DELETE)
    assert sorted(event.records) == [f"appointment/{visit.pk}", f"patient/{jane.pk}"]


def test_work_nobody_asked_for_over_the_network_names_whom_the_service_is_given(visit, house, new):
    new()

    appointments.move(visit, "confirm", by=house)

    event = only(new())
    assert (event.actor, event.role) == (house.pk, "doctor")
    assert (event.session, event.request_id, event.address) == ("", "", "")


def test_what_is_refused_leaves_no_event_of_a_change(api, visit, house, new):
    client = api(house)
    appointments.move(visit, "cancel", by=house)
    new()

    response = client.post(f"/api/appointments/{visit.pk}/complete/")

    assert response.status_code == 409
    assert new() == []


def test_a_part_that_fails_takes_its_word_with_it_and_leaves_the_rest(visit, house, new):
    new()

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

    event = only(new())
    assert (event.event, event.changed) == ("appointment.updated", ["doctor_notes"])


def test_an_event_stands_or_falls_with_its_change(visit, house, new):
    new()

    with transaction.atomic():
        appointments.move(visit, "confirm", by=house)
        transaction.set_rollback(True)

    assert new() == []


# --- Signing in -----------------------------------------------------------------------------


def test_signing_in_and_out_is_written_down(api, jane, new):
    tokens = data(api().post("/api/auth/login/", {"username": "jane", "password": PASSWORD}))
    session = jane.sessions.get()
    api().post("/api/auth/logout/", {"refresh": tokens["refresh"]})

    opened, ended = new()
    assert (opened.event, opened.action, opened.actor) == ("session.open", "C", jane.pk)
    assert (ended.event, ended.action, ended.actor) == ("session.end", "D", jane.pk)
    assert opened.records == ended.records == [f"session/{session.pk}"]


def test_signing_in_to_the_admin_is_written_down(client, ada, new):
    client.post("/admin/login/", {"username": "ada", "password": PASSWORD})
    client.post("/admin/logout/")

    assert [(event.event, event.actor) for event in new()][:2] == [
        ("session.open", ada.pk),
        ("session.end", ada.pk),
    ]


@pytest.mark.parametrize("address", ["/api/auth/login/", "/admin/login/", "/api-auth/login/"])
def test_a_wrong_password_is_a_refusal_of_nobody_we_know(client, jane, new, address):
    json = {"content_type": "application/json"} if address.startswith("/api/") else {}
    client.post(address, {"username": "jane", "password": "wrong"}, **json)

    event = only(new())
    assert (event.outcome, event.actor, event.address) == ("refused", None, "127.0.0.1")


def test_a_flood_of_refusals_is_one_event_for_each_caller_and_door(api, jane, visit, new):
    stranger, caller = api(), api(PatientFactory())
    new()

    for _ in range(5):
        stranger.get("/api/appointments/")
        caller.get(f"/api/appointments/{visit.pk}/")
        caller.get("/api/patients/")

    events = new()
    assert [event.event for event in events] == [
        "appointment.list",
        "appointment.retrieve",
        "patient.list",
    ]
    assert {event.outcome for event in events} == {"refused"}
    assert [event.actor is None for event in events] == [True, False, False]


# --- Services without a door of their own ---------------------------------------------------


def test_every_service_says_what_it_does(ada, house, new):
    patient = create_patient(first_name="Ann", last_name="Lee")
    services.verify_licence(house)
    slot = slot_services.open_slot(doctor=house, **HOURS)
    slot_services.change_slot(slot, end_time=HOURS["end_time"].replace(minute=45))
    slot_services.withdraw(slot)
    room = consultations.open_walk_in(
        patient=patient, doctor=house, chief_complaint="A cough", by=house
    )
    consultations.add_note(room, by=house, note_type="plan", content="Rest")
    consultations.complete(room, by=house, diagnosis="Flu")

    assert [event.event for event in new()] == [
        "patient.create",
        "account.verify_licence",
        "timeslot.open",
        "timeslot.change",
        "timeslot.withdraw",
        "consultation.open",
        "consultationnote.add",
        "consultation.complete",
    ]
