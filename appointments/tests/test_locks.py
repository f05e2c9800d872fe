"""The second of two transactions waits for the first and then reads what the first committed.

Each test covers one lock. Without the lock, the second transaction would act on stale data, or only
a database constraint would stop it.
"""

from datetime import timedelta

import pytest

from accounts import services as accounts
from accounts.tests.factories import AdminFactory, DoctorFactory
from appointments import record_closing, services, slot_services
from appointments.models import Appointment, TimeSlot
from appointments.tests.factories import TimeSlotFactory, make_appointment, noon, on_the_day
from config.tests.lock_waiting import requires_row_locks, run_behind_lock
from consultations import services as consultations
from patients import services as patients
from patients.tests.factories import PatientFactory

pytestmark = [requires_row_locks, pytest.mark.django_db(transaction=True)]

NOT_OFFERED = "This time slot is not offered any more."


def slot_at(starts_at, doctor=None, minutes=30):
    ends_at = starts_at + timedelta(minutes=minutes)
    return TimeSlotFactory(doctor=doctor or DoctorFactory(), starts_at=starts_at, ends_at=ends_at)


def book(patient, slot):
    services.book(patient=patient, time_slot=slot, by=patient, reason_for_visit="A cough")


def lock_nowait(slot):
    """Locks the slot, or fails immediately."""
    TimeSlot.objects.select_for_update(nowait=True).get(pk=slot.pk)


def reschedule(appointment, slot):
    services.move(appointment, "reschedule", by=appointment.patient, time_slot=slot)


def start(visit):
    with on_the_day(visit):
        services.move(visit, "start", by=visit.doctor)


def reopen(visit):
    services.move(visit, "reopen", by=visit.doctor, reason="A slip")


# --- Locks on slots -------------------------------------------------------------------------


def test_a_concurrent_booking_of_a_slot_is_refused_as_taken():
    slot, jane, paul = TimeSlotFactory(), PatientFactory(), PatientFactory()

    outcome = run_behind_lock(lambda: book(jane, slot), lambda: book(paul, slot))

    assert outcome == (True, "slot_taken")
    assert [one.patient_id for one in slot.appointments.all()] == [jane.pk]


def test_a_slot_that_is_concurrently_booked_is_not_taken_by_a_reopened_appointment():
    visit, paul = make_appointment("cancelled"), PatientFactory()

    outcome = run_behind_lock(lambda: book(paul, visit.time_slot), lambda: reopen(visit))

    assert outcome == (True, "slot_taken")
    assert Appointment.objects.get(pk=visit.pk).status == "cancelled"


def test_a_slot_that_a_reopened_appointment_takes_is_not_booked():
    visit, paul = make_appointment("cancelled"), PatientFactory()

    outcome = run_behind_lock(lambda: reopen(visit), lambda: book(paul, visit.time_slot))

    assert outcome == (True, "slot_taken")
    assert not paul.appointments.exists()


def test_a_concurrently_withdrawn_slot_is_not_taken_by_a_reopened_appointment():
    visit = make_appointment("cancelled")

    outcome = run_behind_lock(
        lambda: slot_services.withdraw(visit.time_slot), lambda: reopen(visit)
    )

    assert outcome == (True, "invalid_transition")
    assert Appointment.objects.get(pk=visit.pk).status == "cancelled"


def test_a_patients_time_that_is_concurrently_booked_is_not_taken_by_a_reopened_appointment():
    visit = make_appointment("cancelled")
    other = slot_at(visit.starts_at + timedelta(minutes=15))

    outcome = run_behind_lock(lambda: book(visit.patient, other), lambda: reopen(visit))

    assert outcome == (True, "patient_overlap")
    assert Appointment.objects.get(pk=visit.pk).status == "cancelled"


def test_a_concurrently_withdrawn_slot_is_not_booked():
    slot, jane = TimeSlotFactory(), PatientFactory()

    outcome = run_behind_lock(lambda: slot_services.withdraw(slot), lambda: book(jane, slot))

    assert outcome == (True, NOT_OFFERED)
    assert not slot.appointments.exists()


def test_a_concurrently_booked_slot_is_not_withdrawn():
    slot, jane = TimeSlotFactory(), PatientFactory()

    outcome = run_behind_lock(lambda: book(jane, slot), lambda: slot_services.withdraw(slot))

    assert outcome == (True, "slot_in_use")
    assert TimeSlot.objects.get(pk=slot.pk).withdrawn_at is None


def test_a_concurrently_booked_slot_is_not_changed():
    slot, jane = TimeSlotFactory(), PatientFactory()
    later = noon(400).date()

    outcome = run_behind_lock(
        lambda: book(jane, slot), lambda: slot_services.change_slot(slot, date=later)
    )

    assert outcome == (True, "slot_in_use")
    assert TimeSlot.objects.get(pk=slot.pk).starts_at == slot.starts_at


def test_a_reschedule_to_a_concurrently_taken_slot_keeps_the_old_slot():
    doctor = DoctorFactory()
    visit, slot = make_appointment(doctor=doctor), TimeSlotFactory(doctor=doctor)
    paul = PatientFactory()

    outcome = run_behind_lock(lambda: book(paul, slot), lambda: reschedule(visit, slot))

    assert outcome == (True, "slot_taken")
    assert Appointment.objects.get(pk=visit.pk).time_slot_id == visit.time_slot_id


def test_slots_are_locked_in_order_of_id():
    """While the reschedule waits for the lower id, the higher id is not locked yet."""
    doctor = DoctorFactory()
    lower, higher = slot_at(noon(401), doctor), slot_at(noon(400), doctor)
    visit = make_appointment(time_slot=higher)

    outcome = run_behind_lock(
        lambda: lock_nowait(lower),
        lambda: reschedule(visit, lower),
        while_waiting=lambda: lock_nowait(higher),
    )

    assert outcome == (True, "done")


def test_a_reschedule_locks_the_old_slot_too():
    """The old slot has the lower id here and is locked first, which prevents deadlocks."""
    doctor = DoctorFactory()
    old, new = slot_at(noon(400), doctor), slot_at(noon(401), doctor)
    visit = make_appointment(time_slot=old)

    outcome = run_behind_lock(
        lambda: lock_nowait(old),
        lambda: reschedule(visit, new),
        while_waiting=lambda: lock_nowait(new),
    )

    assert outcome == (True, "done")


# --- Locks on patients ----------------------------------------------------------------------


def test_concurrent_overlapping_bookings_of_a_patient_are_refused():
    jane = PatientFactory()
    one, other = slot_at(noon()), slot_at(noon() + timedelta(minutes=15))

    outcome = run_behind_lock(lambda: book(jane, one), lambda: book(jane, other))

    assert outcome == (True, "patient_overlap")
    assert jane.appointments.count() == 1


def test_an_overlapping_reschedule_and_booking_of_a_patient_are_refused():
    jane = PatientFactory()
    visit = make_appointment(patient=jane)
    one = slot_at(noon(400), doctor=visit.doctor)
    other = slot_at(noon(400) + timedelta(minutes=15))

    outcome = run_behind_lock(lambda: book(jane, other), lambda: reschedule(visit, one))

    assert outcome == (True, "patient_overlap")
    assert Appointment.objects.get(pk=visit.pk).time_slot_id == visit.time_slot_id


def test_the_limit_of_appointments_holds_for_concurrent_bookings(settings):
    settings.MAX_COMING_APPOINTMENTS = 1
    jane, one, other = PatientFactory(), TimeSlotFactory(), TimeSlotFactory()

    outcome = run_behind_lock(lambda: book(jane, one), lambda: book(jane, other))

    assert outcome == (True, "too_many_bookings")
    assert jane.appointments.count() == 1


def test_a_concurrently_deactivated_patient_is_not_booked():
    jane, slot, ada = PatientFactory(), TimeSlotFactory(), AdminFactory()

    outcome = run_behind_lock(lambda: patients.deactivate(jane, by=ada), lambda: book(jane, slot))

    assert outcome == (True, "This patient's record is closed.")
    assert not slot.appointments.exists()


def test_deactivating_a_patient_cancels_a_concurrent_booking():
    jane, slot, ada = PatientFactory(), TimeSlotFactory(), AdminFactory()

    outcome = run_behind_lock(lambda: book(jane, slot), lambda: patients.deactivate(jane, by=ada))

    assert outcome == (True, "done")
    assert [one.status for one in slot.appointments.all()] == ["cancelled"]


# --- Locks on appointments ------------------------------------------------------------------


def test_a_transition_reads_the_status_after_waiting():
    visit = make_appointment()

    outcome = run_behind_lock(
        lambda: services.move(visit, "cancel", by=visit.patient),
        lambda: services.move(visit, "complete", by=visit.doctor),
    )

    assert outcome == (True, "invalid_transition")
    assert Appointment.objects.get(pk=visit.pk).status == "cancelled"


def test_a_concurrently_cancelled_appointment_is_not_rescheduled():
    visit = make_appointment()
    slot = TimeSlotFactory(doctor=visit.doctor)

    outcome = run_behind_lock(
        lambda: services.move(visit, "cancel", by=visit.doctor), lambda: reschedule(visit, slot)
    )

    assert outcome == (True, "invalid_transition")
    assert not slot.appointments.exists()


def test_concurrent_updates_of_details_are_both_kept():
    visit = make_appointment()

    outcome = run_behind_lock(
        lambda: services.update(visit, by=visit.patient, symptoms="Fever"),
        lambda: services.update(visit, by=visit.doctor, doctor_notes="Calm"),
    )

    now = Appointment.objects.get(pk=visit.pk)
    assert outcome == (True, "done")
    assert (now.symptoms, now.doctor_notes, now.version) == ("Fever", "Calm", 3)


def test_details_are_not_changed_after_a_concurrent_start():
    visit = make_appointment()

    outcome = run_behind_lock(
        lambda: start(visit),
        lambda: services.update(visit, by=visit.patient, symptoms="Fever"),
    )

    assert outcome == (True, "invalid_transition")
    assert Appointment.objects.get(pk=visit.pk).symptoms == ""


def test_if_match_is_compared_after_waiting_for_the_lock():
    visit = make_appointment()

    outcome = run_behind_lock(
        lambda: services.update(visit, by=visit.doctor, doctor_notes="Calm"),
        lambda: services.move(visit, "confirm", by=visit.doctor, if_version={1}),
    )

    assert outcome == (True, "stale_version")
    assert Appointment.objects.get(pk=visit.pk).status == "scheduled"


def test_a_concurrently_started_appointment_is_not_cancelled_with_its_patient():
    visit = make_appointment()

    outcome = run_behind_lock(
        lambda: start(visit),
        lambda: record_closing.cancel_upcoming(visit.patient, by=AdminFactory()),
    )

    assert outcome == (True, "done")
    assert Appointment.objects.get(pk=visit.pk).status == "in_progress"


def test_coming_appointments_are_locked_in_order_of_id():
    """While the cancellation waits for the lower id, the higher one is not locked yet."""
    jane, ada = PatientFactory(), AdminFactory()
    lower, higher = (
        make_appointment(patient=jane, time_slot=slot_at(noon(days))) for days in (400, 401)
    )

    def lock_nowait(appointment):
        Appointment.objects.select_for_update(nowait=True).get(pk=appointment.pk)

    outcome = run_behind_lock(
        lambda: lock_nowait(lower),
        lambda: record_closing.cancel_upcoming(jane, by=ada),
        while_waiting=lambda: lock_nowait(higher),
    )

    assert outcome == (True, "done")


# --- Locks on doctors -----------------------------------------------------------------------


def local_hours(starts_at, minutes):
    slot = TimeSlot(starts_at=starts_at, ends_at=starts_at + timedelta(minutes=minutes))
    return {"date": slot.date, "start_time": slot.start_time, "end_time": slot.end_time}


def test_a_concurrent_overlapping_slot_is_refused_by_the_service():
    doctor = DoctorFactory()
    ten, quarter_past = noon(400), noon(400) + timedelta(minutes=15)

    outcome = run_behind_lock(
        lambda: slot_services.open_slot(doctor=doctor, **local_hours(ten, 30)),
        lambda: slot_services.open_slot(doctor=doctor, **local_hours(quarter_past, 30)),
    )

    assert outcome == (True, "slot_overlap")
    assert doctor.time_slots.count() == 1


def test_bulk_creation_skips_a_concurrently_opened_slot():
    doctor = DoctorFactory()
    hours = local_hours(noon(400), 60)
    half_an_hour = timedelta(minutes=30)
    plan = slot_services.SlotPlan(
        [hours["date"]], hours["start_time"], hours["end_time"], half_an_hour
    )

    outcome = run_behind_lock(
        lambda: slot_services.open_slot(doctor=doctor, **local_hours(noon(400), 30)),
        lambda: slot_services.open_slots(doctor=doctor, plan=plan),
    )

    assert outcome == (True, "done")
    assert doctor.time_slots.count() == 2


def test_a_slot_is_not_moved_onto_a_concurrently_opened_one():
    slot = slot_at(noon(400))

    outcome = run_behind_lock(
        lambda: slot_services.open_slot(doctor=slot.doctor, **local_hours(noon(401), 30)),
        lambda: slot_services.change_slot(slot, **local_hours(noon(401), 30)),
    )

    assert outcome == (True, "slot_overlap")
    assert TimeSlot.objects.get(pk=slot.pk).starts_at == slot.starts_at


# --- Transactions that do not wait ----------------------------------------------------------


def test_a_booking_does_not_wait_while_slots_are_opened():
    """The lock on the doctor's row allows inserts that refer to the doctor."""
    slot, jane = TimeSlotFactory(), PatientFactory()

    outcome = run_behind_lock(
        lambda: slot_services.open_slot(doctor=slot.doctor, **local_hours(noon(400), 30)),
        lambda: book(jane, slot),
    )

    assert outcome == (False, "done")


def test_a_booking_does_not_block_a_consultation_of_the_patient():
    jane, slot = PatientFactory(), TimeSlotFactory()
    visit = make_appointment(patient=jane)

    outcome = run_behind_lock(
        lambda: book(jane, slot), lambda: consultations.open_for(visit, by=visit.doctor)
    )

    assert outcome == (False, "done")


def test_a_profile_change_of_a_doctor_does_not_block_a_transition():
    visit = make_appointment()

    outcome = run_behind_lock(
        lambda: accounts.update_profile(visit.doctor, by=visit.doctor, phone="030 1"),
        lambda: services.move(visit, "confirm", by=visit.doctor),
    )

    assert outcome == (False, "done")


def test_a_transition_does_not_lock_the_users_of_the_appointment():
    visit = make_appointment()

    outcome = run_behind_lock(
        lambda: services.lock(visit),
        lambda: accounts.update_profile(visit.doctor, by=visit.doctor, phone="030 1"),
    )

    assert outcome == (False, "done")


def test_a_booking_does_not_lock_the_doctor():
    slot, jane = TimeSlotFactory(), PatientFactory()

    outcome = run_behind_lock(
        lambda: book(jane, slot),
        lambda: accounts.update_profile(slot.doctor, by=slot.doctor, phone="030 1"),
    )

    assert outcome == (False, "done")
