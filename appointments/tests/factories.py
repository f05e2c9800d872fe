"""Factories of slots and appointments; appointments reach their status through the services."""

from contextlib import nullcontext
from datetime import timedelta

import factory

from accounts.tests.factories import DoctorFactory
from appointments import clock, services
from appointments.lifecycle import Status
from appointments.models import TimeSlot
from patients.tests.factories import PatientFactory

# Actions of the doctor that lead from `scheduled` to the status.
ACTIONS_TO_REACH = {
    Status.SCHEDULED: [],
    Status.CONFIRMED: ["confirm"],
    Status.IN_PROGRESS: ["confirm", "start"],
    Status.COMPLETED: ["confirm", "start", "complete"],
    Status.CANCELLED: ["cancel"],
    Status.NO_SHOW: ["no_show"],
}
ON_THE_DAY = {"start", "complete", "no_show"}  # not before the clinic day of the visit


def noon(days_ahead=1):
    """Returns noon of the clinic's day that many days from today, as a datetime."""
    return clock.start_of_day(clock.today() + timedelta(days=days_ahead)) + timedelta(hours=12)


class TimeSlotFactory(factory.django.DjangoModelFactory):
    """Slots of 30 minutes, each on its own day, so that none overlaps another."""

    class Meta:
        model = TimeSlot

    doctor = factory.SubFactory(DoctorFactory)
    starts_at = factory.Sequence(lambda n: noon(days_ahead=1 + n % 300))
    ends_at = factory.LazyAttribute(lambda slot: slot.starts_at + timedelta(minutes=30))


def on_the_day(visit):
    """Freezes the clock at the start of a visit (or slot), unless it has begun already."""
    return clock.frozen_at(max(visit.starts_at, clock.now()))


def make_appointment(status=Status.SCHEDULED, *, doctor=None, patient=None, by=None, **details):
    """Books an appointment as its patient (or `by`) and moves it to the status."""
    slot = details.pop("time_slot", None) or TimeSlotFactory(
        **({"doctor": doctor} if doctor else {})
    )
    patient = patient or PatientFactory()
    details = {"reason_for_visit": "A cough that does not go away"} | details
    appointment = services.book(patient=patient, time_slot=slot, by=by or patient, **details)
    for action in ACTIONS_TO_REACH[Status(status)]:
        with on_the_day(slot) if action in ON_THE_DAY else nullcontext():
            appointment = services.move(appointment, action, by=slot.doctor)
    return appointment


def make_appointment_of_today(*, doctor=None, **details):
    """Books, the day before, the first half hour of the clinic's current day."""
    start = clock.start_of_day(clock.today())
    owner = {"doctor": doctor} if doctor else {}
    slot = TimeSlotFactory(starts_at=start, ends_at=start + timedelta(minutes=30), **owner)
    with clock.frozen_at(start - timedelta(hours=12)):
        return make_appointment(time_slot=slot, **details)
