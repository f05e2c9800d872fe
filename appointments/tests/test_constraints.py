"""Database constraints of slots and appointments, tested without the services."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from appointments import overlap_constraints
from appointments.models import Appointment, TimeSlot
from appointments.tests.factories import TimeSlotFactory, make_appointment
from appointments.tests.helpers import all_rows, make_slot
from config.api.exceptions import problem_from
from config.db import constraint_errors

pytestmark = pytest.mark.usefixtures("wednesday")


def integrity_error_of(write):
    """Returns the IntegrityError that a write raises, and rolls the write back."""
    before = all_rows(Appointment, TimeSlot)
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        write()
    assert all_rows(Appointment, TimeSlot) == before
    return error.value


def errors_shown(error):
    """Returns the errors that a client would be shown."""
    problem = problem_from(error)
    return problem.status, problem.code, problem.errors


SLOT_TAKEN = (409, "slot_taken", {"time_slot": ["This time slot is taken."]})


def row(appointment, **changes):
    """Returns an unsaved copy of the appointment."""
    values = Appointment.objects.filter(pk=appointment.pk).values().get()
    return Appointment(**values | {"id": None} | changes)


def test_a_second_appointment_of_a_slot_is_refused(smith, omar):
    taken = make_appointment(doctor=smith)

    error = integrity_error_of(
        lambda: Appointment.objects.bulk_create([row(taken, patient_id=omar.pk)])
    )

    assert errors_shown(error) == SLOT_TAKEN


def test_an_update_to_a_taken_slot_is_refused(smith):
    one, two = make_appointment(doctor=smith), make_appointment(doctor=smith)
    rows = Appointment.objects.filter(pk=two.pk)

    error = integrity_error_of(lambda: rows.update(time_slot=one.time_slot))

    assert errors_shown(error) == SLOT_TAKEN


def test_restoring_a_cancelled_appointment_of_a_taken_slot_is_refused(smith):
    cancelled = make_appointment("cancelled", doctor=smith)
    make_appointment(time_slot=cancelled.time_slot)
    rows = Appointment.objects.filter(pk=cancelled.pk)

    error = integrity_error_of(lambda: rows.update(status="scheduled"))

    assert errors_shown(error) == SLOT_TAKEN


def test_a_slot_can_have_many_cancelled_appointments(smith):
    live = make_appointment(doctor=smith)

    Appointment.objects.bulk_create([row(live, status="cancelled"), row(live, status="cancelled")])

    assert live.time_slot.appointments.count() == 3


def test_the_error_is_converted_to_a_validation_error(smith, omar):
    taken = make_appointment(doctor=smith)
    error = integrity_error_of(
        lambda: Appointment.objects.bulk_create([row(taken, patient_id=omar.pk)])
    )

    rule = constraint_errors.validation_error_for(error)

    assert isinstance(rule, ValidationError)
    [told] = rule.error_dict["time_slot"]
    assert (told.code, told.messages) == ("slot_taken", ["This time slot is taken."])


def test_an_appointment_ends_after_it_starts(smith):
    appointment = make_appointment(doctor=smith)

    error = integrity_error_of(lambda: Appointment.objects.update(ends_at=appointment.starts_at))

    assert errors_shown(error)[:2] == (400, "validation_error")


def test_a_slot_ends_after_it_starts(smith):
    slot = make_slot(doctor=smith)

    error = integrity_error_of(
        lambda: TimeSlot.objects.update(ends_at=slot.starts_at - timedelta(minutes=1))
    )

    assert errors_shown(error)[:2] == (400, "validation_error")


def test_two_slots_of_a_doctor_cannot_start_at_the_same_time(smith):
    slot = make_slot(doctor=smith)
    twin = TimeSlot(doctor=smith, starts_at=slot.starts_at, ends_at=slot.ends_at)

    error = integrity_error_of(lambda: TimeSlot.objects.bulk_create([twin]))

    assert errors_shown(error)[:2] == (409, "slot_overlap")


def test_slots_cannot_start_at_the_same_time_without_the_overlap_constraints(smith):
    overlap_constraints.remove(connection)
    slot = make_slot(doctor=smith)
    TimeSlotFactory(
        doctor=smith,
        starts_at=slot.starts_at + timedelta(minutes=15),  # violates only the overlap constraint
        ends_at=slot.ends_at,
    )
    twin = TimeSlot(doctor=smith, starts_at=slot.starts_at, ends_at=slot.ends_at)

    error = integrity_error_of(lambda: TimeSlot.objects.bulk_create([twin]))

    assert errors_shown(error)[:2] == (409, "slot_overlap")


def test_withdrawn_slots_and_slots_of_other_doctors_do_not_conflict(wednesday, smith, meyer):
    slot = make_slot(doctor=smith, withdrawn_at=wednesday)

    TimeSlotFactory(doctor=smith, starts_at=slot.starts_at, ends_at=slot.ends_at)
    TimeSlotFactory(doctor=meyer, starts_at=slot.starts_at, ends_at=slot.ends_at)

    assert TimeSlot.objects.filter(starts_at=slot.starts_at).count() == 3
