"""Appointment services: what they write, what they refuse and which signals they send."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import AuditEvent
from appointments import clock, services
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.signals import appointment_changed
from appointments.tests.factories import make_appointment
from appointments.tests.helpers import all_rows, clinic_time, make_slot
from patients import services as patients
from patients.models import Patient
from patients.signals import patient_deactivated

pytestmark = pytest.mark.usefixtures("wednesday")

DETAILS = {"reason_for_visit": "A cough", "priority": "high", "symptoms": "Fever"}


def codes_of(refused):
    """Returns {field: [codes]} of a ValidationError."""
    return {
        field: [error.code for error in errors]
        for field, errors in refused.value.error_dict.items()
    }


def history(appointment):
    return [
        (
            entry.action,
            entry.from_status,
            entry.to_status,
            entry.from_starts_at,
            entry.to_starts_at,
            entry.changes,
            entry.reason,
            entry.changed_by_id,
            entry.created_at,
        )
        for entry in appointment.history.all()
    ]


@pytest.fixture
def received():
    """Collects the history entries that signal receivers get."""
    entries = []

    def listen(sender, entry, **kwargs):
        entries.append(entry)

    appointment_changed.connect(listen)
    yield entries
    appointment_changed.disconnect(listen)


# --- book -----------------------------------------------------------------------------------


def test_book_copies_the_slot_times_and_writes_one_history_entry(wednesday, smith, jane):
    slot = make_slot("2026-12-07 09:00", doctor=smith)

    booked = services.book(patient=jane, time_slot=slot, by=jane, **DETAILS)

    [row] = Appointment.objects.values()
    assert row == {
        "id": booked.pk,
        "patient_id": jane.pk,
        "doctor_id": smith.pk,
        "time_slot_id": slot.pk,
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "status": "scheduled",
        "previous_status": "",
        "status_changed_at": None,
        "consultation_stage": "",
        "consultation_type": "general",
        "priority": "high",
        "reason_for_visit": "A cough",
        "symptoms": "Fever",
        "contact_phone": "",
        "patient_notes": "",
        "doctor_notes": "",
        "booked_by_id": jane.pk,
        "created_at": wednesday,
        "updated_at": wednesday,
        "version": 1,
    }
    assert history(booked) == [
        ("book", "", "scheduled", None, slot.starts_at, [], "", jane.pk, wednesday)
    ]


def test_a_taken_slot_is_refused(smith, jane, omar):
    slot = make_slot(doctor=smith)
    make_appointment(time_slot=slot, patient=jane)
    before = all_rows(Appointment, AppointmentHistory)

    with pytest.raises(ValidationError) as refused:
        services.book(patient=omar, time_slot=slot, by=omar, **DETAILS)

    assert codes_of(refused) == {"time_slot": ["slot_taken"]}
    assert all_rows(Appointment, AppointmentHistory) == before


@pytest.mark.parametrize("status", ["confirmed", "in_progress", "completed", "no_show"])
def test_every_status_but_cancelled_keeps_the_slot_taken(status, smith, jane, omar):
    slot = make_slot(doctor=smith)
    make_appointment(status, time_slot=slot, patient=jane)

    with pytest.raises(ValidationError) as refused:
        services.book(patient=omar, time_slot=slot, by=omar, **DETAILS)

    assert codes_of(refused) == {"time_slot": ["slot_taken"]}


def test_the_slot_of_a_cancelled_appointment_is_available(smith, jane, omar):
    slot = make_slot(doctor=smith)
    cancelled = make_appointment("cancelled", time_slot=slot, patient=jane)

    booked = services.book(patient=omar, time_slot=slot, by=omar, **DETAILS)

    cancelled.refresh_from_db()
    assert [cancelled.status, booked.status] == ["cancelled", "scheduled"]
    assert slot.appointments.count() == 2


@pytest.mark.parametrize("ahead", [-1, 0])
def test_a_slot_that_has_begun_is_refused(ahead, smith, jane):
    slot = make_slot(doctor=smith)

    with (
        clock.frozen_at(slot.starts_at - timedelta(seconds=ahead)),
        pytest.raises(ValidationError) as refused,
    ):
        services.book(patient=jane, time_slot=slot, by=jane, **DETAILS)

    assert codes_of(refused) == {"time_slot": ["slot_in_past"]}
    assert Appointment.objects.count() == 0


def test_a_slot_one_second_ahead_can_be_booked(smith, jane):
    slot = make_slot(doctor=smith)

    with clock.frozen_at(slot.starts_at - timedelta(seconds=1)):
        booked = services.book(patient=jane, time_slot=slot, by=jane, **DETAILS)

    assert booked.time_slot == slot


@pytest.mark.parametrize(
    ("start", "minutes"),
    [
        ("2026-12-07 09:00", 30),
        ("2026-12-07 08:45", 30),
        ("2026-12-07 09:15", 30),
        ("2026-12-07 09:10", 10),
        ("2026-12-07 08:00", 120),
    ],
)
def test_a_patient_cannot_have_overlapping_appointments(start, minutes, smith, meyer, jane):
    make_appointment(time_slot=make_slot("2026-12-07 09:00", doctor=smith), patient=jane)
    elsewhere = make_slot(start, minutes, doctor=meyer)

    with pytest.raises(ValidationError) as refused:
        services.book(patient=jane, time_slot=elsewhere, by=jane, **DETAILS)

    assert codes_of(refused) == {"time_slot": ["patient_overlap"]}
    assert refused.value.message_dict == {
        "time_slot": ["The patient has another appointment at that time."]
    }
    assert jane.appointments.count() == 1


@pytest.mark.parametrize("start", ["2026-12-07 08:30", "2026-12-07 09:30"])
def test_a_patient_can_have_adjacent_appointments(start, smith, meyer, jane):
    make_appointment(time_slot=make_slot("2026-12-07 09:00", doctor=smith), patient=jane)

    services.book(patient=jane, time_slot=make_slot(start, doctor=meyer), by=jane, **DETAILS)

    assert jane.appointments.count() == 2


def test_a_cancelled_appointment_does_not_overlap(smith, meyer, jane):
    make_appointment("cancelled", time_slot=make_slot(doctor=smith), patient=jane)

    services.book(patient=jane, time_slot=make_slot(doctor=meyer), by=jane, **DETAILS)

    assert jane.appointments.live().count() == 1


def test_a_withdrawn_slot_is_not_booked(wednesday, smith, jane):
    slot = make_slot(doctor=smith)
    TimeSlot.objects.update(withdrawn_at=wednesday)

    with pytest.raises(ValidationError) as refused:
        services.book(patient=jane, time_slot=slot, by=jane, **DETAILS)

    assert refused.value.message_dict == {"time_slot": ["This time slot is not offered any more."]}
    assert Appointment.objects.count() == 0


@pytest.mark.parametrize("change", [{"is_active": False}, {"license_verified": False}])
def test_an_unbookable_doctor_is_not_booked(change, smith, jane, ada):
    slot = make_slot(doctor=smith)
    type(smith).objects.update(**change)

    with pytest.raises(ValidationError) as refused:
        services.book(patient=jane, time_slot=slot, by=ada, **DETAILS)

    assert refused.value.message_dict == {
        "time_slot": ["This doctor takes no appointments at present. Choose another doctor."]
    }
    assert Appointment.objects.count() == 0


def test_an_unverified_doctor_is_booked_if_no_verification_is_required(settings, nils, jane):
    settings.DOCTOR_VERIFICATION_REQUIRED = False

    services.book(patient=jane, time_slot=make_slot(doctor=nils), by=jane, **DETAILS)

    assert nils.doctor_appointments.count() == 1


def test_a_deactivated_patient_is_not_booked(smith, jane, ada):
    slot = make_slot(doctor=smith)
    patients.deactivate(jane, by=ada)

    with pytest.raises(ValidationError) as refused:
        services.book(patient=jane, time_slot=slot, by=ada, **DETAILS)

    assert refused.value.message_dict == {"patient": ["This patient's record is closed."]}
    assert Appointment.objects.count() == 0


# --- move -----------------------------------------------------------------------------------


def test_each_transition_writes_one_history_entry(wednesday, smith, jane, ada):
    first = make_slot("2026-12-07 09:00", doctor=smith)
    second = make_slot("2026-12-08 09:00", doctor=smith)
    later = wednesday + timedelta(hours=1)

    appointment = services.book(patient=jane, time_slot=first, by=jane, **DETAILS)
    services.move(appointment, "confirm", by=smith)
    with clock.frozen_at(later):
        services.move(appointment, "reschedule", by=jane, time_slot=second, reason="Work")
        services.update(appointment, by=ada, priority="low", doctor_notes="Careful")
    with clock.frozen_at(second.starts_at):
        services.move(appointment, "start", by=smith)
        services.move(appointment, "complete", by=smith)

    one, two = first.starts_at, second.starts_at
    assert history(appointment) == [
        ("book", "", "scheduled", None, one, [], "", jane.pk, wednesday),
        ("confirm", "scheduled", "confirmed", one, one, [], "", smith.pk, wednesday),
        ("reschedule", "confirmed", "scheduled", one, two, [], "Work", jane.pk, later),
        (
            "updated",
            "scheduled",
            "scheduled",
            two,
            two,
            ["doctor_notes", "priority"],
            "",
            ada.pk,
            later,
        ),
        ("start", "scheduled", "in_progress", two, two, [], "", smith.pk, two),
        ("complete", "in_progress", "completed", two, two, [], "", smith.pk, two),
    ]


@pytest.mark.django_db(transaction=True)
def test_each_change_writes_one_audit_event(smith, jane, ada):
    first = make_slot("2026-12-07 09:00", doctor=smith)
    second = make_slot("2026-12-08 09:00", doctor=smith)

    appointment = services.book(patient=jane, time_slot=first, by=jane, **DETAILS)
    services.move(appointment, "confirm", by=smith)
    services.move(appointment, "reschedule", by=jane, time_slot=second)
    services.update(appointment, by=ada, priority="low", doctor_notes="Seen")
    services.move(appointment, "cancel", by=smith)

    events = AuditEvent.objects.order_by("pk")
    assert list(events.values_list("event", "action", "changed", "actor")) == [
        ("appointment.book", "C", [], jane.pk),
        ("appointment.confirm", "U", ["status"], smith.pk),
        ("appointment.reschedule", "U", ["status", "time_slot"], jane.pk),
        ("appointment.updated", "U", ["doctor_notes", "priority"], ada.pk),
        ("appointment.cancel", "U", ["status"], smith.pk),
    ]


def test_a_refused_transition_lists_the_allowed_ones(smith):
    appointment = make_appointment("confirmed", doctor=smith)

    with pytest.raises(ValidationError) as refused:
        services.move(appointment, "confirm", by=smith)

    [error] = refused.value.error_dict["status"]
    assert error.messages == ["This appointment cannot be confirmed now. Its status is Confirmed."]
    assert error.params["allowed"] == ["cancel", "reschedule"]


def test_a_transition_is_decided_on_the_stored_row_and_not_on_a_stale_instance(smith):
    appointment = make_appointment(doctor=smith)
    old_copy = Appointment.objects.get(pk=appointment.pk)
    services.move(appointment, "cancel", by=smith)

    with pytest.raises(ValidationError) as refused:
        services.move(old_copy, "confirm", by=smith)

    assert codes_of(refused) == {"status": ["invalid_transition"]}
    assert Appointment.objects.get().status == "cancelled"


@pytest.mark.parametrize("action", ["confirm", "reschedule"])
def test_only_a_reschedule_takes_a_time_slot(action, smith):
    appointment = make_appointment(doctor=smith)
    slot = make_slot("2026-12-08 09:00", doctor=smith) if action == "confirm" else None
    sentence = "^`reschedule` needs a time_slot; no other move takes one.$"

    with pytest.raises(TypeError, match=sentence):
        services.move(appointment, action, by=smith, time_slot=slot)


def test_a_reschedule_frees_the_old_slot_and_takes_the_new_one(smith, jane):
    old, new = (
        make_slot("2026-12-07 09:00", doctor=smith),
        make_slot("2026-12-08 11:00", 45, doctor=smith),
    )
    appointment = make_appointment("confirmed", time_slot=old, patient=jane)

    moved = services.move(appointment, "reschedule", by=jane, time_slot=new)

    moved.refresh_from_db()
    assert (moved.time_slot, moved.status) == (new, "scheduled")
    assert (moved.starts_at, moved.ends_at) == (new.starts_at, new.ends_at)
    assert list(TimeSlot.objects.free()) == [old]


@pytest.mark.parametrize("hurdle", ["taken", "past", "withdrawn", "elsewhere", "same", "busy"])
def test_a_refused_reschedule_keeps_the_old_slot(*, hurdle, wednesday, smith, meyer, jane, omar):
    old, new = (
        make_slot("2026-12-07 09:00", doctor=smith),
        make_slot("2026-12-08 09:00", doctor=smith),
    )
    appointment = make_appointment("confirmed", time_slot=old, patient=jane)
    expected = {
        "taken": "slot_taken",
        "past": "slot_in_past",
        "busy": "patient_overlap",
    }.get(hurdle)
    if hurdle == "taken":
        make_appointment(time_slot=new, patient=omar)
    elif hurdle == "past":
        new = make_slot("2026-12-02 10:00", doctor=smith)
    elif hurdle == "withdrawn":
        TimeSlot.objects.filter(pk=new.pk).update(withdrawn_at=wednesday)
    elif hurdle == "elsewhere":
        new = make_slot("2026-12-08 09:00", doctor=meyer)
    elif hurdle == "same":
        new = old
    else:
        make_appointment(time_slot=make_slot("2026-12-08 09:15", doctor=meyer), patient=jane)
    before = all_rows(Appointment, AppointmentHistory)

    with pytest.raises(ValidationError) as refused:
        services.move(appointment, "reschedule", by=smith, time_slot=new)

    assert codes_of(refused) == {"time_slot": [expected]}
    assert all_rows(Appointment, AppointmentHistory) == before
    assert not TimeSlot.objects.free().filter(pk=old.pk).exists()


# --- update ---------------------------------------------------------------------------------


def test_update_records_the_changed_field_names_and_no_values(wednesday, smith):
    appointment = make_appointment(doctor=smith, symptoms="Cough")
    before = appointment.history.count()

    services.update(appointment, by=smith, symptoms="A secret", priority="urgent", contact_phone="")

    entry = appointment.history.last()
    assert appointment.history.count() == before + 1
    assert (entry.action, entry.changes) == ("updated", ["priority", "symptoms"])
    assert "A secret" not in str(AppointmentHistory.objects.values())


def test_an_update_without_changes_writes_nothing(smith):
    appointment = make_appointment(doctor=smith, symptoms="Cough")
    before = all_rows(Appointment, AppointmentHistory)

    services.update(appointment, by=smith, symptoms="Cough", status="scheduled")

    assert all_rows(Appointment, AppointmentHistory) == before


@pytest.mark.parametrize("status", ["in_progress", "completed", "cancelled", "no_show"])
def test_visit_details_are_fixed_once_the_appointment_is_not_upcoming(status, smith):
    appointment = make_appointment(status, doctor=smith)
    before = all_rows(Appointment, AppointmentHistory)

    with pytest.raises(ValidationError) as refused:
        services.update(appointment, by=smith, symptoms="New", doctor_notes="New")

    assert codes_of(refused) == {"status": ["invalid_transition"]}
    assert all_rows(Appointment, AppointmentHistory) == before


@pytest.mark.parametrize("status", ["in_progress", "completed", "cancelled", "no_show"])
def test_doctor_notes_can_always_be_written(status, smith):
    appointment = make_appointment(status, doctor=smith)

    services.update(appointment, by=smith, doctor_notes="Seen")

    appointment.refresh_from_db()
    assert (appointment.doctor_notes, appointment.status) == ("Seen", status)
    assert appointment.history.last().changes == ["doctor_notes"]


def test_a_status_in_an_update_runs_its_transition(smith):
    appointment = make_appointment(doctor=smith)

    services.update(appointment, by=smith, status="confirmed", symptoms="Fever")

    appointment.refresh_from_db()
    assert (appointment.status, appointment.symptoms) == ("confirmed", "Fever")
    assert [entry.action for entry in appointment.history.all()] == ["book", "updated", "confirm"]


@pytest.mark.parametrize(
    ("now", "change", "sentence"),
    [
        (
            "completed",
            {"symptoms": "New"},
            "The details of this appointment cannot be changed any more. Its status is Completed.",
        ),
        (
            "confirmed",
            {"status": "scheduled"},
            (
                "This appointment can be scheduled again only by moving it to another time or by "
                "reopening it. Its status is Confirmed."
            ),
        ),
    ],
)
def test_a_refused_update_names_the_status(now, change, sentence, smith):
    appointment = make_appointment(now, doctor=smith)

    with pytest.raises(ValidationError) as refused:
        services.update(appointment, by=smith, **change)

    assert refused.value.message_dict == {"status": [sentence]}


def test_a_refused_transition_rolls_back_the_details(smith):
    appointment = make_appointment("confirmed", doctor=smith)
    before = all_rows(Appointment, AppointmentHistory)

    for status in ("no_show", "scheduled"):
        with pytest.raises(ValidationError) as refused:
            services.update(appointment, by=smith, status=status, symptoms="Fever")
        code = "too_early" if status == "no_show" else "invalid_transition"
        assert codes_of(refused) == {"status": [code]}

    assert all_rows(Appointment, AppointmentHistory) == before


# --- Signals --------------------------------------------------------------------------------


def test_receivers_are_called_after_commit(
    received, django_capture_on_commit_callbacks, smith, jane
):
    with django_capture_on_commit_callbacks() as waiting:
        appointment = make_appointment(doctor=smith, patient=jane)
        services.move(appointment, "confirm", by=smith)

    assert (len(waiting), received) == (2, [])

    for tell in waiting:
        tell()

    assert received == list(appointment.history.all())


def test_receivers_are_not_called_after_a_rollback(
    received, django_capture_on_commit_callbacks, smith
):
    appointment = make_appointment("confirmed", doctor=smith)

    with django_capture_on_commit_callbacks(execute=True) as told_of:
        with transaction.atomic():
            services.move(appointment, "cancel", by=smith)
            transaction.set_rollback(True)
        with pytest.raises(ValidationError):
            services.update(appointment, by=smith, symptoms="Fever", status="no_show")

    assert (told_of, received) == ([], [])
    assert [entry.action for entry in appointment.history.all()] == ["book", "confirm"]


def test_a_failing_receiver_does_not_undo_the_change(
    caplog, received, django_capture_on_commit_callbacks, smith
):
    appointment = make_appointment(doctor=smith)

    def fail(**kwargs):
        raise RuntimeError

    appointment_changed.connect(fail)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            services.move(appointment, "confirm", by=smith)
    finally:
        appointment_changed.disconnect(fail)

    assert [entry.action for entry in received] == ["confirm"]
    assert Appointment.objects.get().status == "confirmed"


# --- Deactivated patients -------------------------------------------------------------------


def test_deactivating_a_patient_cancels_coming_appointments_only(wednesday, smith, jane, omar, ada):
    times = iter(f"2026-12-{day:02} 09:00" for day in range(7, 28))
    mine = {
        status: make_appointment(
            status, patient=jane, time_slot=make_slot(next(times), doctor=smith)
        )
        for status in ("scheduled", "confirmed", "in_progress", "completed", "no_show")
    }
    with clock.frozen_at(wednesday - timedelta(days=2)):
        missed = make_appointment(
            patient=jane, time_slot=make_slot("2026-12-01 09:00", doctor=smith)
        )
    others = make_appointment(patient=omar, time_slot=make_slot(next(times), doctor=smith))

    patients.deactivate(jane, by=ada)

    rows = dict(Appointment.objects.values_list("pk", "status"))
    assert {status: rows[one.pk] for status, one in mine.items()} == {
        "scheduled": "cancelled",
        "confirmed": "cancelled",
        "in_progress": "in_progress",
        "completed": "completed",
        "no_show": "no_show",
    }
    assert (rows[missed.pk], rows[others.pk]) == ("scheduled", "scheduled")
    entry = mine["confirmed"].history.last()
    assert (entry.action, entry.from_status, entry.to_status) == (
        "cancel",
        "confirmed",
        "cancelled",
    )
    assert (entry.reason, entry.changed_by_id) == ("The patient's record was closed.", ada.pk)


def test_deactivating_a_patient_and_cancelling_are_atomic(smith, jane, ada):
    make_appointment(patient=jane, doctor=smith)
    before = all_rows(Appointment, AppointmentHistory, Patient)

    def fail(**kwargs):
        assert Appointment.objects.get().status == "cancelled"  # the error message must be absent
        raise RuntimeError

    patient_deactivated.connect(fail)
    try:
        with pytest.raises(RuntimeError):
            patients.deactivate(jane, by=ada)
    finally:
        patient_deactivated.disconnect(fail)

    assert all_rows(Appointment, AppointmentHistory, Patient) == before


def test_dates_and_times_of_an_appointment_are_local(smith):
    appointment = make_appointment(time_slot=make_slot("2026-12-07 23:30", 15, doctor=smith))

    assert appointment.starts_at == clinic_time("2026-12-07 23:30")
    assert (str(appointment.date), str(appointment.start_time), str(appointment.end_time)) == (
        "2026-12-07",
        "23:30:00",
        "23:45:00",
    )


def test_changing_the_time_zone_setting_does_not_move_an_appointment(smith, settings):
    appointment = make_appointment(time_slot=make_slot("2026-12-07 09:00", doctor=smith))

    settings.TIME_ZONE = "America/New_York"

    appointment.refresh_from_db()
    assert appointment.starts_at == clinic_time("2026-12-07 09:00")
    assert (str(appointment.date), str(appointment.start_time)) == ("2026-12-07", "03:00:00")
    assert list(Appointment.objects.on(appointment.date)) == [appointment]
