"""The last word is the database's, whatever the code above it does."""

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


def refused(write):
    """The IntegrityError that a write raises, with everything as it was before."""
    before = all_rows(Appointment, TimeSlot)
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        write()
    assert all_rows(Appointment, TimeSlot) == before
    return error.value


def answer(error):
    """What a client would be told of it."""
    problem = problem_from(error)
    return problem.status, problem.code, problem.errors


SLOT_TAKEN = (409, "slot_taken", {"time_slot": ["This time slot is taken."]})


def row(appointment, **changes):
    """An unsaved row like that appointment."""
    values = Appointment.objects.filter(pk=appointment.pk).values().get()
    return Appointment(**values | {"id": None} | changes)


def test_a_second_row_for_a_slot_is_refused(smith, omar):
    taken = make_appointment(doctor=smith)

    error = refused(lambda: Appointment.objects.bulk_create([row(taken, patient_id=omar.pk)]))

    assert answer(error) == SLOT_TAKEN


def test_an_update_that_would_put_two_into_a_slot_is_refused(smith):
    one, two = make_appointment(doctor=smith), make_appointment(doctor=smith)
    rows = Appointment.objects.filter(pk=two.pk)

    error = refused(lambda: rows.update(time_slot=one.time_slot))

    assert answer(error) == SLOT_TAKEN


def test_a_cancelled_appointment_cannot_come_back_to_a_slot_given_away(smith):
    cancelled = make_appointment("cancelled", doctor=smith)
    make_appointment(time_slot=cancelled.time_slot)
    rows = Appointment.objects.filter(pk=cancelled.pk)

    error = refused(lambda: rows.update(status="scheduled"))

    assert answer(error) == SLOT_TAKEN


def test_any_number_of_cancelled_rows_may_name_a_slot(smith):
    live = make_appointment(doctor=smith)

    Appointment.objects.bulk_create([row(live, status="cancelled"), row(live, status="cancelled")])

    assert live.time_slot.appointments.count() == 3


def test_the_error_is_told_as_the_rule_behind_it(smith, omar):
    taken = make_appointment(doctor=smith)
    error = refused(lambda: Appointment.objects.bulk_create([row(taken, patient_id=omar.pk)]))

    rule = constraint_errors.validation_error_for(error)

    assert isinstance(rule, ValidationError)
    [told] = rule.error_dict["time_slot"]
    assert (told.code, told.messages) == ("slot_taken", ["This time slot is taken."])


def test_an_appointment_ends_after_it_starts(smith):
    appointment = make_appointment(doctor=smith)

    error = refused(lambda: Appointment.objects.update(ends_at=appointment.starts_at))

    assert answer(error)[:2] == (400, "validation_error")


def test_a_slot_ends_after_it_starts(smith):
    slot = make_slot(doctor=smith)

    error = refused(lambda: TimeSlot.objects.update(ends_at=slot.starts_at - timedelta(minutes=1)))

    assert answer(error)[:2] == (400, "validation_error")


def test_two_standing_slots_of_a_doctor_cannot_start_together(smith):
    slot = make_slot(doctor=smith)
    twin = TimeSlot(doctor=smith, starts_at=slot.starts_at, ends_at=slot.ends_at)

    error = refused(lambda: TimeSlot.objects.bulk_create([twin]))

    assert answer(error)[:2] == (409, "slot_overlap")


def test_two_standing_slots_cannot_start_together_also_where_the_guards_are_missing(smith):
    overlap_constraints.remove(connection)
    slot = make_slot(doctor=smith)
    TimeSlotFactory(
        doctor=smith,
        starts_at=slot.starts_at + timedelta(minutes=15),  # only the guards minded that
        ends_at=slot.ends_at,
    )
    twin = TimeSlot(doctor=smith, starts_at=slot.starts_at, ends_at=slot.ends_at)

    error = refused(lambda: TimeSlot.objects.bulk_create([twin]))

    assert answer(error)[:2] == (409, "slot_overlap")


def test_a_withdrawn_slot_and_another_doctors_do_not_count(wednesday, smith, meyer):
    slot = make_slot(doctor=smith, withdrawn_at=wednesday)

    TimeSlotFactory(doctor=smith, starts_at=slot.starts_at, ends_at=slot.ends_at)
    TimeSlotFactory(doctor=meyer, starts_at=slot.starts_at, ends_at=slot.ends_at)

    assert TimeSlot.objects.filter(starts_at=slot.starts_at).count() == 3
