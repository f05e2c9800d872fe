"""A doctor's time, opened and taken back. Overlaps are decided under the lock on the doctor."""

from datetime import datetime, time, timedelta
from typing import NamedTuple

from django.core.exceptions import ValidationError

from accounts.audit import log as audit
from accounts.models import Action, Doctor
from appointments import clock
from appointments.models import TimeSlot
from config.db.transactions import atomic_with_retry
from config.errors import rule_error

MIN_DURATION = timedelta(minutes=5)
MAX_SLOTS = 1000
MAX_DAYS = 366
SKIP_REASONS = ["slot_in_past", "slot_overlap", "nonexistent_time"]


class SlotPlan(NamedTuple):
    """Slots to open: from `start_time` to `end_time` on each of `dates`, in clinic time.

    `duration` and `pause` between slots are timedeltas; a rest too short for a slot is left.
    """

    dates: list
    start_time: time
    end_time: time
    duration: timedelta
    pause: timedelta = timedelta(0)

    @property
    def starts(self):
        """The clock times at which slots begin, each day."""
        any_day = clock.today()
        at = datetime.combine(any_day, self.start_time)
        end = datetime.combine(any_day, self.end_time)
        starts = []
        while at + self.duration <= end:
            starts.append(at.time())
            at += self.duration + self.pause
        return starts


@atomic_with_retry
def open_slot(*, doctor, date, start_time, end_time):
    """A new slot of the doctor's, given in clinic time.

    Refusals: `slot_in_past`, `slot_overlap`; bad input where it is not 5 minutes or longer within
    one day, or names a time that does not exist, or a doctor whose account is closed.
    """
    starts_at, ends_at = _interval(date, start_time, end_time)
    doctor = lock_active_doctor(doctor)
    _check_overlap(doctor, starts_at, ends_at)
    slot = TimeSlot.objects.create(doctor=doctor, starts_at=starts_at, ends_at=ends_at)
    audit.record_create("timeslot.open", slot)
    return slot


@atomic_with_retry
def open_slots(*, doctor, plan):
    """Open what of the plan fits; (slots, skipped), the latter as {date, start_time, reason}.

    A slot is skipped for a reason of SKIPPED. Each lasts its full duration, also on the day the
    clocks change. More than 1,000 slots or 366 days, or a doctor whose account is closed:
    ValidationError.
    """
    _check_size(plan)
    doctor = lock_active_doctor(doctor)
    taken = _standing_intervals(doctor, plan)
    opened, skipped = [], []
    for date in plan.dates:
        for start_time in plan.starts:
            starts_at, reason = _fits(date, start_time, plan.duration, taken)
            if reason:
                skipped.append({"date": date, "start_time": start_time, "reason": reason})
            else:
                ends_at = starts_at + plan.duration
                opened.append(TimeSlot(doctor=doctor, starts_at=starts_at, ends_at=ends_at))
                taken.append((starts_at, ends_at))
    opened = TimeSlot.objects.bulk_create(opened)
    audit.record_create("timeslot.open", *opened)
    return opened, skipped


@atomic_with_retry
def change_slot(slot, *, date=None, start_time=None, end_time=None):
    """Move a slot nobody holds to another time; `slot_in_use` where somebody does."""
    slot = _lock_unused(slot)
    shown = slot.date, slot.start_time, slot.end_time
    wanted = date or slot.date, start_time or slot.start_time, end_time or slot.end_time
    if wanted == shown:
        return slot
    starts_at, ends_at = _interval(*wanted)
    _check_overlap(slot.doctor, starts_at, ends_at, but=slot)
    slot.starts_at, slot.ends_at = starts_at, ends_at
    slot.save()
    audit.record_change("timeslot.change", slot, fields=["starts_at", "ends_at"])
    return slot


@atomic_with_retry
def withdraw(slot):
    """Take back a slot nobody holds; `slot_in_use` where somebody does."""
    slot = _lock_unused(slot)
    slot.withdrawn_at = clock.now()
    slot.save()
    audit.record_change("timeslot.withdraw", slot, action=Action.DELETE)
    return slot


def _interval(date, start_time, end_time):
    if end_time <= start_time:
        raise ValidationError({"end_time": "A slot ends after it starts, on the same day."})
    length = datetime.combine(date, end_time) - datetime.combine(date, start_time)
    try:
        starts_at = _starts_at(date, start_time, length)
    except ValidationError as error:
        raise ValidationError({"start_time": error}) from error
    try:
        ends_at = clock.clinic_datetime(date, end_time)
    except ValidationError as error:
        raise ValidationError({"end_time": error}) from error
    if ends_at - starts_at < MIN_DURATION:
        raise ValidationError({"end_time": "A slot lasts 5 minutes or longer."})
    if starts_at <= clock.now():
        raise rule_error("start_time", "This time lies in the past.", "slot_in_past")
    return starts_at, ends_at


def _starts_at(date, start_time, length):
    """The instant a slot of that length starts at.

    Where the clocks go back and show the start twice, it is the first time, unless only the second
    lets the slot end when the clock says: 02:30 to 03:00 is half an hour, not an hour and a half.
    """
    end = datetime.combine(date, start_time) + length
    first, second = (
        clock.clinic_datetime(date, start_time),
        clock.clinic_datetime(date, start_time, fold=1),
    )
    right = [
        start
        for start in (first, second)
        if clock.to_clinic_time(start + length).replace(tzinfo=None) == end
    ]
    return right[0] if right else first


def lock_active_doctor(doctor):
    """The doctor, held until the transaction ends; one whose account is closed is bad input."""
    doctor = _lock_doctor(doctor.pk)
    if not doctor.is_active:
        raise ValidationError({"doctor": "This doctor's account is closed."})
    return doctor


def _lock_doctor(pk):
    return Doctor.objects.select_for_update(no_key=True).get(pk=pk)


def _check_overlap(doctor, starts_at, ends_at, but=None):
    others = doctor.time_slots.overlapping(starts_at, ends_at).exclude(pk=but and but.pk)
    if others.exists():
        raise rule_error("start_time", "The doctor has another slot at that time.", "slot_overlap")


def _lock_unused(slot):
    doctor = _lock_doctor(slot.doctor_id)
    slot = TimeSlot.objects.select_for_update(no_key=True).get(pk=slot.pk)
    slot.doctor = doctor
    if slot.withdrawn_at:
        raise rule_error("time_slot", "This time slot was withdrawn.", "not_found")
    if slot.appointments.live().exists():
        raise rule_error(
            "time_slot", "An appointment holds this slot; cancel or move it first.", "slot_in_use"
        )
    return slot


def _check_size(plan):
    if len(plan.dates) > MAX_DAYS:
        raise ValidationError({"date_to": f"Choose at most {MAX_DAYS} days."})
    if not plan.starts:
        raise ValidationError({"slot_duration": "No slot of that length fits into these hours."})
    if len(plan.dates) * len(plan.starts) > MAX_SLOTS:
        raise ValidationError({"slot_duration": f"This makes more than {MAX_SLOTS} slots."})


def _standing_intervals(doctor, plan):
    if not plan.dates:
        return []
    first, last = min(plan.dates), max(plan.dates) + timedelta(days=1)
    standing = doctor.time_slots.overlapping(clock.start_of_day(first), clock.start_of_day(last))
    return list(standing.values_list("starts_at", "ends_at"))


def _fits(date, start_time, duration, taken):
    """(the instant, None), or (None, why the slot is skipped)."""
    try:
        starts_at = clock.clinic_datetime(date, start_time)
    except ValidationError as error:
        return None, error.code
    ends_at = starts_at + duration
    if (
        clock.to_clinic_time(ends_at).date() != date
    ):  # it was to end at an hour that the clocks skip
        return None, "nonexistent_time"
    if starts_at <= clock.now():
        return None, "slot_in_past"
    if any(start < ends_at and starts_at < end for start, end in taken):
        return None, "slot_overlap"
    return starts_at, None
