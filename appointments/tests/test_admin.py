"""Admin pages of appointments and time slots: the same rules as in the API."""

from datetime import timedelta

import pytest
from django.urls import reverse

from accounts.tests.factories import DoctorFactory
from appointments import clock, move_rules
from appointments.lifecycle import MOVES
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.tests.factories import (
    TimeSlotFactory,
    make_appointment,
    make_appointment_of_today,
)
from config.tests.admin_forms import filled_form, submit
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

LIST = reverse("admin:appointments_appointment_changelist")
ADD = reverse("admin:appointments_appointment_add")
SLOTS = reverse("admin:appointments_timeslot_changelist")
ADD_SLOT = reverse("admin:appointments_timeslot_add")


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


def test_booking_takes_the_slot_and_writes_history(admin_client):
    slot, patient = TimeSlotFactory(), PatientFactory()

    response = admin_client.post(ADD, booking(slot, patient, symptoms="Fever"))

    assert response.status_code == 302
    appointment = Appointment.objects.get()
    assert (appointment.time_slot, appointment.doctor, appointment.symptoms) == (
        slot,
        slot.doctor,
        "Fever",
    )
    assert [entry.action for entry in appointment.history.all()] == ["book"]


def test_booking_a_taken_slot_shows_an_error_and_writes_nothing(admin_client):
    taken = make_appointment().time_slot

    response = admin_client.post(ADD, booking(taken, PatientFactory()))

    assert response.status_code == 200
    assert errors_of(response) == {"time_slot": ["This time slot is taken."]}
    assert Appointment.objects.count() == AppointmentHistory.objects.count() == 1


def test_booking_for_a_deactivated_patient_shows_an_error_at_the_patient(admin_client):
    response = admin_client.post(ADD, booking(TimeSlotFactory(), PatientFactory(is_active=False)))

    assert errors_of(response) == {"patient": ["This patient's record is closed."]}
    assert not Appointment.objects.exists()


def test_only_available_slots_are_offered(admin_client):
    taken, free = make_appointment().time_slot, TimeSlotFactory()
    search = {"app_label": "appointments", "model_name": "appointment", "field_name": "time_slot"}

    offered = admin_client.get(reverse("admin:autocomplete"), search | {"term": ""}).json()[
        "results"
    ]
    that_day = admin_client.get(
        reverse("admin:autocomplete"), search | {"term": str(free.date)}
    ).json()
    other_day = admin_client.get(
        reverse("admin:autocomplete"), search | {"term": "2020-02-31"}
    ).json()

    assert [int(one["id"]) for one in offered] == [free.pk]
    assert str(taken.pk) not in [one["id"] for one in offered]
    assert [int(one["id"]) for one in that_day["results"]] == [free.pk]
    assert other_day["results"] == []


@pytest.mark.parametrize("action", MOVES)
def test_a_get_of_an_action_changes_nothing(admin_client, action):
    appointment = make_appointment()

    response = admin_client.get(page_of(appointment, action))

    assert response.status_code == 200
    appointment.refresh_from_db()
    assert (appointment.status, appointment.history.count()) == ("scheduled", 1)


@pytest.mark.parametrize("action", ["confirm", "start", "complete", "cancel"])
def test_an_action_stores_its_reason(admin_client, action):
    appointment = make_appointment_of_today()

    response = admin_client.post(page_of(appointment, action), {"reason": "By phone"})

    assert response.url == page_of(appointment)
    appointment.refresh_from_db()
    assert appointment.status == MOVES[action].target
    assert appointment.history.last().reason == "By phone"


@pytest.mark.parametrize("action", ["confirm", "start", "complete", "no_show", "cancel"])
def test_a_refused_action_is_shown_and_changes_nothing(admin_client, action):
    appointment = make_appointment("cancelled")

    on_page = admin_client.post(page_of(appointment, action))
    in_list = admin_client.post(
        LIST, {"action": f"{action}_chosen", "_selected_action": [appointment.pk]}, follow=True
    )

    sentence = str(move_rules.INVALID_MOVES[action] % {"status": "Cancelled"})
    assert sentence in on_page.content.decode()
    assert sentence in str(next(iter(in_list.context["messages"])))
    appointment.refresh_from_db()
    assert (appointment.status, appointment.history.count()) == ("cancelled", 2)


def test_a_bulk_action_changes_the_allowed_appointments(admin_client):
    scheduled, cancelled = make_appointment(), make_appointment("cancelled")

    admin_client.post(
        LIST, {"action": "confirm_chosen", "_selected_action": [scheduled.pk, cancelled.pk]}
    )

    statuses = dict(Appointment.objects.values_list("pk", "status"))
    assert statuses == {scheduled.pk: "confirmed", cancelled.pk: "cancelled"}


def test_a_page_offers_only_allowed_actions(admin_client):
    content = admin_client.get(page_of(make_appointment("confirmed"))).content.decode()

    offered = {name for name in MOVES if f"/{name}/" in content}
    assert offered == {"cancel", "reschedule"}


def test_an_appointment_is_rescheduled_to_an_available_slot_of_its_doctor(admin_client):
    appointment = make_appointment()
    free, of_another = TimeSlotFactory(doctor=appointment.doctor), TimeSlotFactory()
    page = page_of(appointment, "reschedule")

    refused = admin_client.post(page, {"time_slot": of_another.pk})
    admin_client.post(page, {"time_slot": free.pk})

    assert "not free any more" in refused.content.decode()
    appointment.refresh_from_db()
    assert (appointment.time_slot, appointment.starts_at) == (free, free.starts_at)


def test_details_are_editable_and_the_status_is_not(admin_client):
    appointment = make_appointment()
    slot, patient = TimeSlotFactory(), PatientFactory()

    changes = booking(slot, patient, reason_for_visit="Knee", status="completed")
    submit(admin_client, page_of(appointment), **changes)

    appointment.refresh_from_db()
    assert (appointment.reason_for_visit, appointment.status) == ("Knee", "scheduled")
    assert slot != appointment.time_slot
    assert patient != appointment.patient
    assert appointment.history.last().changes == ["priority", "reason_for_visit"]


def test_after_the_visit_only_the_doctor_notes_are_editable(admin_client):
    appointment = make_appointment("completed")

    submit(admin_client, page_of(appointment), reason_for_visit="Knee", doctor_notes="Brace")

    appointment.refresh_from_db()
    assert appointment.doctor_notes == "Brace"
    assert appointment.reason_for_visit != "Knee"


def test_a_change_that_is_no_longer_allowed_is_reported_on_the_page(admin_client, monkeypatch):
    appointment = make_appointment()
    form = filled_form(admin_client, page_of(appointment), reason_for_visit="Knee")
    del form["if_version"]
    monkeypatch.setattr("appointments.admin.UPCOMING", frozenset(["cancelled"]))  # as it was read
    Appointment.objects.filter(pk=appointment.pk).update(status="cancelled")

    response = admin_client.post(page_of(appointment), form)

    assert response.status_code == 200
    assert (
        "The details of this appointment cannot be changed any more." in response.content.decode()
    )


def test_a_slot_is_opened_in_local_time(admin_client):
    day = clock.today() + timedelta(days=3)
    form = {"doctor": DoctorFactory().pk, "date": day, "start_time": "09:00", "end_time": "09:30"}

    admin_client.post(ADD_SLOT, form)
    again = admin_client.post(ADD_SLOT, form | {"end_time": "09:15"})

    slot = TimeSlot.objects.get()
    assert (slot.date, f"{slot.start_time:%H:%M}") == (day, "09:00")
    assert errors_of(again) == {"start_time": ["The doctor has another slot at that time."]}


def test_a_slot_of_a_deactivated_doctor_is_refused_at_the_doctor_field(admin_client):
    day = clock.today() + timedelta(days=3)
    gone = DoctorFactory(is_active=False)
    form = {"doctor": gone.pk, "date": day, "start_time": "09:00", "end_time": "09:30"}

    response = admin_client.post(ADD_SLOT, form)

    assert errors_of(response) == {"doctor": ["This doctor's account is closed."]}
    assert not TimeSlot.objects.exists()


def test_an_available_slot_is_editable_and_a_taken_one_is_not(admin_client):
    free, held = TimeSlotFactory(), make_appointment().time_slot
    form = {"date": free.date, "start_time": "15:00", "end_time": "15:20"}

    admin_client.post(page_of(free), form)
    refused = admin_client.post(page_of(held), form)

    free.refresh_from_db()
    assert f"{free.start_time:%H:%M}" == "15:00"
    assert refused.status_code == 403


def test_a_slot_is_withdrawn_unless_it_is_taken(admin_client):
    free, held = TimeSlotFactory(), make_appointment().time_slot

    admin_client.get(page_of(free, "withdraw"))
    assert TimeSlot.objects.filter(withdrawn_at=None).count() == 2
    response = admin_client.post(
        SLOTS, {"action": "withdraw_chosen", "_selected_action": [free.pk, held.pk]}, follow=True
    )

    assert "This time slot has an appointment." in response.content.decode()
    assert TimeSlot.objects.get(withdrawn_at=None) == held


def test_a_slot_of_a_deactivated_doctor_can_be_withdrawn(admin_client):
    slot = TimeSlotFactory(doctor=DoctorFactory(is_active=False))

    admin_client.post(page_of(slot, "withdraw"))

    assert not TimeSlot.objects.filter(withdrawn_at=None).exists()


@pytest.mark.parametrize(("state", "expected"), [("free", 1), ("held", 1), ("withdrawn", 1)])
def test_slots_are_filtered_by_state(admin_client, state, expected):
    TimeSlotFactory()
    TimeSlotFactory(withdrawn_at=clock.now())
    make_appointment()

    assert admin_client.get(SLOTS, {"state": state}).context["cl"].result_count == expected


@pytest.mark.parametrize(
    ("when", "expected"), [("today", 0), ("tomorrow", 1), ("week", 1), ("ahead", 1), ("past", 0)]
)
def test_appointments_are_filtered_by_day(admin_client, when, expected):
    start = clock.start_of_day(clock.today() + timedelta(days=1)) + timedelta(hours=9)
    slot = TimeSlotFactory(starts_at=start, ends_at=start + timedelta(minutes=20))
    make_appointment(time_slot=slot)

    assert admin_client.get(LIST, {"when": when}).context["cl"].result_count == expected


def test_history_is_read_only(admin_client):
    entry = make_appointment().history.get()

    assert admin_client.get("/admin/appointments/appointmenthistory/add/").status_code == 403
    assert admin_client.post(page_of(entry), {"reason": "forged"}).status_code == 403
