"""Appointments and time slots at the desk: the same rules as everywhere."""

from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.tests.factories import AdminFactory, DoctorFactory
from appointments import clock
from appointments.lifecycle import MOVES
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.tests.factories import TimeSlotFactory, make_appointment
from config.tests.admin_forms import filled_form, submit
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:appointments_appointment_changelist")
ADD = reverse("admin:appointments_appointment_add")
SLOTS = reverse("admin:appointments_timeslot_changelist")
ADD_SLOT = reverse("admin:appointments_timeslot_add")


@pytest.fixture
def desk(client):
    client.force_login(AdminFactory())
    return client


def page_of(record, step="change"):
    return f"/admin/appointments/{record._meta.model_name}/{record.pk}/{step}/"


def booking(slot, patient, **details):
    return {
        "patient": patient.pk,
        "time_slot": slot.pk,
        "consultation_type": "general",
        "priority": "high",
        "reason_for_visit": "A cough",
    } | details


def errors_of(response):
    return response.context["adminform"].form.errors


def test_booking_takes_the_slot_and_writes_the_history(desk):
    slot, patient = TimeSlotFactory(), PatientFactory()

    response = desk.post(ADD, booking(slot, patient, symptoms="Fever"))

    assert response.status_code == 302
    appointment = Appointment.objects.get()
    assert (appointment.time_slot, appointment.doctor, appointment.symptoms) == (
        slot,
        slot.doctor,
        "Fever",
    )
    assert [entry.action for entry in appointment.history.all()] == ["book"]


def test_booking_a_taken_slot_says_so_and_writes_nothing(desk):
    taken = make_appointment().time_slot

    response = desk.post(ADD, booking(taken, PatientFactory()))

    assert response.status_code == 200
    assert errors_of(response) == {"time_slot": ["This time slot is taken."]}
    assert Appointment.objects.count() == AppointmentHistory.objects.count() == 1


def test_booking_for_a_closed_record_says_so_at_the_patient(desk):
    response = desk.post(ADD, booking(TimeSlotFactory(), PatientFactory(is_active=False)))

    assert errors_of(response) == {"patient": ["This patient's record is closed."]}
    assert not Appointment.objects.exists()


def test_only_free_times_are_offered(desk):
    taken, free = make_appointment().time_slot, TimeSlotFactory()
    search = {"app_label": "appointments", "model_name": "appointment", "field_name": "time_slot"}

    offered = desk.get(reverse("admin:autocomplete"), search | {"term": ""}).json()["results"]
    that_day = desk.get(reverse("admin:autocomplete"), search | {"term": str(free.date)}).json()
    other_day = desk.get(reverse("admin:autocomplete"), search | {"term": "2020-02-31"}).json()

    assert [int(one["id"]) for one in offered] == [free.pk]
    assert str(taken.pk) not in [one["id"] for one in offered]
    assert [int(one["id"]) for one in that_day["results"]] == [free.pk]
    assert other_day["results"] == []


@pytest.mark.parametrize("action", MOVES)
def test_asking_for_a_move_changes_nothing(desk, action):
    appointment = make_appointment()

    response = desk.get(page_of(appointment, action))

    assert response.status_code == 200
    appointment.refresh_from_db()
    assert (appointment.status, appointment.history.count()) == ("scheduled", 1)


@pytest.mark.parametrize("action", ["confirm", "start", "complete", "cancel"])
def test_a_move_is_made_with_its_reason(desk, action):
    appointment = make_appointment()

    response = desk.post(page_of(appointment, action), {"reason": "By phone"})

    assert response.url == page_of(appointment)
    appointment.refresh_from_db()
    assert appointment.status == MOVES[action].target
    assert appointment.history.last().reason == "By phone"


@pytest.mark.parametrize("action", ["confirm", "start", "complete", "no_show", "cancel"])
def test_a_refused_move_is_shown_and_changes_nothing(desk, action):
    appointment = make_appointment("cancelled")

    on_page = desk.post(page_of(appointment, action))
    in_list = desk.post(
        LIST, {"action": f"{action}_chosen", "_selected_action": [appointment.pk]}, follow=True
    )

    sentence = f"Cannot {action.replace('_', '-')} an appointment that is cancelled."
    assert sentence in on_page.content.decode()
    assert sentence in str(next(iter(in_list.context["messages"])))
    appointment.refresh_from_db()
    assert (appointment.status, appointment.history.count()) == ("cancelled", 2)


def test_a_list_action_moves_those_it_can(desk):
    scheduled, cancelled = make_appointment(), make_appointment("cancelled")

    desk.post(LIST, {"action": "confirm_chosen", "_selected_action": [scheduled.pk, cancelled.pk]})

    statuses = dict(Appointment.objects.values_list("pk", "status"))
    assert statuses == {scheduled.pk: "confirmed", cancelled.pk: "cancelled"}


def test_the_page_offers_only_the_moves_that_are_open(desk):
    content = desk.get(page_of(make_appointment("confirmed"))).content.decode()

    offered = {name for name in MOVES if f"/{name}/" in content}
    assert offered == {"start", "complete", "cancel", "reschedule"}


def test_an_appointment_is_rescheduled_to_a_free_time_of_its_doctor(desk):
    appointment = make_appointment()
    free, of_another = TimeSlotFactory(doctor=appointment.doctor), TimeSlotFactory()
    page = page_of(appointment, "reschedule")

    refused = desk.post(page, {"time_slot": of_another.pk})
    desk.post(page, {"time_slot": free.pk})

    assert "not free any more" in refused.content.decode()
    appointment.refresh_from_db()
    assert (appointment.time_slot, appointment.starts_at) == (free, free.starts_at)


def test_details_are_amended_and_the_status_is_not(desk):
    appointment = make_appointment()
    slot, patient = TimeSlotFactory(), PatientFactory()

    changes = booking(slot, patient, reason_for_visit="Knee", status="completed")
    submit(desk, page_of(appointment), **changes)

    appointment.refresh_from_db()
    assert (appointment.reason_for_visit, appointment.status) == ("Knee", "scheduled")
    assert slot != appointment.time_slot
    assert patient != appointment.patient
    assert appointment.history.last().changes == ["priority", "reason_for_visit"]


def test_after_the_visit_only_the_notes_of_the_doctor_change(desk):
    appointment = make_appointment("completed")

    submit(desk, page_of(appointment), reason_for_visit="Knee", doctor_notes="Brace")

    appointment.refresh_from_db()
    assert appointment.doctor_notes == "Brace"
    assert appointment.reason_for_visit != "Knee"


def test_a_change_that_came_too_late_is_told_on_the_page(desk, monkeypatch):
    appointment = make_appointment()
    form = filled_form(desk, page_of(appointment), reason_for_visit="Knee")
    del form["if_version"]
    monkeypatch.setattr("appointments.admin.UPCOMING", frozenset(["cancelled"]))  # as it was read
    Appointment.objects.filter(pk=appointment.pk).update(status="cancelled")

    response = desk.post(page_of(appointment), form)

    assert response.status_code == 200
    assert "Cannot change the details of an appointment" in response.content.decode()


def test_a_slot_is_opened_in_clinic_time(desk):
    day = clock.today() + timedelta(days=3)
    form = {"doctor": DoctorFactory().pk, "date": day, "start_time": "09:00", "end_time": "09:30"}

    desk.post(ADD_SLOT, form)
    again = desk.post(ADD_SLOT, form | {"end_time": "09:15"})

    slot = TimeSlot.objects.get()
    assert (slot.date, f"{slot.start_time:%H:%M}") == (day, "09:00")
    assert errors_of(again) == {"start_time": ["The doctor has another slot at that time."]}


def test_a_slot_for_a_doctor_whose_account_is_closed_is_refused_at_the_doctor(desk):
    day = clock.today() + timedelta(days=3)
    gone = DoctorFactory(is_active=False)
    form = {"doctor": gone.pk, "date": day, "start_time": "09:00", "end_time": "09:30"}

    response = desk.post(ADD_SLOT, form)

    assert errors_of(response) == {"doctor": ["This doctor's account is closed."]}
    assert not TimeSlot.objects.exists()


def test_a_free_slot_is_changed_and_a_held_one_is_not(desk):
    free, held = TimeSlotFactory(), make_appointment().time_slot
    form = {"date": free.date, "start_time": "15:00", "end_time": "15:20"}

    desk.post(page_of(free), form)
    refused = desk.post(page_of(held), form)

    free.refresh_from_db()
    assert f"{free.start_time:%H:%M}" == "15:00"
    assert refused.status_code == 403


def test_a_slot_is_withdrawn_unless_it_is_held(desk):
    free, held = TimeSlotFactory(), make_appointment().time_slot

    desk.get(page_of(free, "withdraw"))
    assert TimeSlot.objects.filter(withdrawn_at=None).count() == 2
    response = desk.post(
        SLOTS, {"action": "withdraw_chosen", "_selected_action": [free.pk, held.pk]}, follow=True
    )

    assert "An appointment holds this slot" in response.content.decode()
    assert TimeSlot.objects.get(withdrawn_at=None) == held


def test_a_slot_of_a_doctor_who_has_left_can_be_withdrawn(desk):
    slot = TimeSlotFactory(doctor=DoctorFactory(is_active=False))

    desk.post(page_of(slot, "withdraw"))

    assert not TimeSlot.objects.filter(withdrawn_at=None).exists()


@pytest.mark.parametrize(("state", "expected"), [("free", 1), ("held", 1), ("withdrawn", 1)])
def test_slots_are_filtered_by_their_state(desk, state, expected):
    TimeSlotFactory()
    TimeSlotFactory(withdrawn_at=clock.now())
    make_appointment()

    assert desk.get(SLOTS, {"state": state}).context["cl"].result_count == expected


@pytest.mark.parametrize(
    ("when", "expected"), [("today", 0), ("tomorrow", 1), ("week", 1), ("ahead", 1), ("past", 0)]
)
def test_appointments_are_filtered_by_day(desk, when, expected):
    start = clock.start_of_day(clock.today() + timedelta(days=1)) + timedelta(hours=9)
    slot = TimeSlotFactory(starts_at=start, ends_at=start + timedelta(minutes=20))
    make_appointment(time_slot=slot)

    assert desk.get(LIST, {"when": when}).context["cl"].result_count == expected


def test_the_history_cannot_be_written(desk):
    entry = make_appointment().history.get()

    assert desk.get("/admin/appointments/appointmenthistory/add/").status_code == 403
    assert desk.post(page_of(entry), {"reason": "forged"}).status_code == 403
