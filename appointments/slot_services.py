"""Every change of a time slot, with its transaction, locks and audit entry.

Each function locks the doctor before it checks overlaps.
"""

from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from accounts.audit import log as audit
from accounts.models import Action, Doctor
from accounts.roles import UNVERIFIED
from appointments import clock
from appointments.models import TimeSlot
from config.db.transactions import atomic_with_retry
from config.errors import rule_error

MIN_DURATION = timedelta(minutes=5)
MAX_SLOTS = 1000
MAX_DAYS = 366
SKIP_REASONS = ["slot_in_past", "slot_overlap", "nonexistent_time"]


class SlotPlan(NamedTuple):
    """The slots to open from `start_time` to `end_time` on each of `dates`, in clinic time.

    `duration` is the length of a slot and `pause` the time between two slots. Time that is left
    at the end and too short for a slot stays unused.
    """

    dates: list
    start_time: time
    end_time: time
    duration: timedelta
    pause: timedelta = timedelta(0)

    @property
    def starts(self) -> list[time]:
        """The times of day at which slots start."""
        any_day = clock.today()
        start = datetime.combine(any_day, self.start_time)
        end = datetime.combine(any_day, self.end_time)
        starts = []
        while start + self.duration <= end:
            starts.append(start.time())
            start += self.duration + self.pause
        return starts


@atomic_with_retry
def open_slot(*, doctor: Doctor, date: date, start_time: time, end_time: time) -> TimeSlot:
    """Create a slot of the doctor; date and times are in clinic time.

    Raises ValidationError with the code `slot_in_past`, `slot_overlap` or `too_many_slots`, and
    without a code where the slot is shorter than 5 minutes, does not lie within one day, has a time
    that does not exist, or the doctor's account is closed.
    """
    starts_at, ends_at = _interval(date, start_time, end_time)
    doctor = lock_active_doctor(doctor)
    _check_overlap(doctor, starts_at, ends_at)
    _check_limit(doctor, 1)
    slot = TimeSlot.objects.create(doctor=doctor, starts_at=starts_at, ends_at=ends_at)
    audit.record_create("timeslot.open", slot)
    return slot


@atomic_with_retry
def open_slots(*, doctor: Doctor, plan: SlotPlan) -> tuple[list[TimeSlot], list[dict[str, object]]]:
    """Create the slots of the plan that fit; return (slots, skipped).

    `skipped` lists {date, start_time, reason} with a reason of SKIP_REASONS. Each slot lasts its
    full duration, also on the day the clocks change. Raises ValidationError for more than 1,000
    slots or 366 days, for a doctor whose account is closed, and with the code `too_many_slots`.
    """
    _check_size(plan)
    doctor = lock_active_doctor(doctor)
    taken = _existing_intervals(doctor, plan)
    opened: list[TimeSlot] = []
    skipped: list[dict[str, object]] = []
    for day in plan.dates:
        for start_time in plan.starts:
            starts_at, reason = _start_or_skip_reason(day, start_time, plan.duration, taken)
            if starts_at is None:
                skipped.append({"date": day, "start_time": start_time, "reason": reason})
            else:
                ends_at = starts_at + plan.duration
                opened.append(TimeSlot(doctor=doctor, starts_at=starts_at, ends_at=ends_at))
                taken.append((starts_at, ends_at))
    _check_limit(doctor, len(opened))
    opened = TimeSlot.objects.bulk_create(opened)
    audit.record_create("timeslot.open", *opened)
    return opened, skipped


@atomic_with_retry
def change_slot(
    slot: TimeSlot,
    *,
    date: date | None = None,
    start_time: time | None = None,
    end_time: time | None = None,
) -> TimeSlot:
    """Move a slot to another date or time.

    Raises ValidationError with a code of open_slot(), or `slot_in_use` where an appointment holds
    the slot.
    """
    slot = _lock_unused(slot)
    before = slot.date, slot.start_time, slot.end_time
    after = date or slot.date, start_time or slot.start_time, end_time or slot.end_time
    if after == before:
        return slot
    starts_at, ends_at = _interval(*after)
    _check_overlap(slot.doctor, starts_at, ends_at, ignore=slot)
    slot.starts_at, slot.ends_at = starts_at, ends_at
    slot.save()
    audit.record_change("timeslot.change", slot, fields=["starts_at", "ends_at"])
    return slot


@atomic_with_retry
def withdraw(slot: TimeSlot) -> TimeSlot:
    """Withdraw a slot, so that it cannot be booked; the row is kept.

    Raises ValidationError with the code `slot_in_use` where an appointment holds the slot.
    """
    slot = _lock_unused(slot)
    slot.withdrawn_at = clock.now()
    slot.save()
    audit.record_change("timeslot.withdraw", slot, action=Action.DELETE)
    return slot


def _interval(date: date, start_time: time, end_time: time) -> tuple[datetime, datetime]:
    if end_time <= start_time:
        raise ValidationError({"end_time": _("A slot must end after it starts, on the same day.")})
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
        raise ValidationError({"end_time": _("A slot must last 5 minutes or longer.")})
    if starts_at <= clock.now():
        raise rule_error("start_time", _("This time is in the past."), "slot_in_past")
    return starts_at, ends_at


def _starts_at(date: date, start_time: time, length: timedelta) -> datetime:
    """Return the UTC datetime at which a slot of that length starts.

    Where the start occurs twice, because the clocks go back, it is the first of the two, unless
    the slot ends at the given clock time only from the second: 02:30 to 03:00 is half an hour, not
    an hour and a half.
    """
    end = datetime.combine(date, start_time) + length
    first, second = (
        clock.clinic_datetime(date, start_time),
        clock.clinic_datetime(date, start_time, fold=1),
    )
    matching = [
        start
        for start in (first, second)
        if clock.to_clinic_time(start + length).replace(tzinfo=None) == end
    ]
    return matching[0] if matching else first


def lock_active_doctor(doctor: Doctor) -> Doctor:
    """Return the doctor, locked until the transaction ends.

    Raises ValidationError where the doctor's account is closed.
    """
    doctor = _lock_doctor(doctor.pk)
    if not doctor.is_active:
        raise ValidationError({"doctor": _("This doctor's account is closed.")})
    return doctor


def _lock_doctor(pk: int) -> Doctor:
    return Doctor.objects.select_for_update(no_key=True).get(pk=pk)


def _check_limit(doctor: Doctor, count: int) -> None:
    """Raise `too_many_slots` if a doctor who is not verified would have more than the limit.

    The caller holds the lock on the doctor. Withdrawn slots count, because their rows are kept.
    """
    limit = settings.MAX_SLOTS_UNVERIFIED
    if limit <= 0 or doctor.role != UNVERIFIED:
        return
    existing = TimeSlot.objects.filter(doctor=doctor, starts_at__gt=clock.now()).count()
    if existing + count > limit:
        sentence = _(
            "Until the licence is verified, a doctor can open %(limit)s time slots. "
            "%(existing)s are open or withdrawn already."
        )
        raise rule_error("doctor", sentence, "too_many_slots", limit=limit, existing=existing)


def _check_overlap(
    doctor: Doctor, starts_at: datetime, ends_at: datetime, ignore: TimeSlot | None = None
) -> None:
    others = doctor.time_slots.overlapping(starts_at, ends_at).exclude(pk=ignore and ignore.pk)
    if others.exists():
        sentence = _("The doctor has another slot at that time.")
        raise rule_error("start_time", sentence, "slot_overlap")


def _lock_unused(slot: TimeSlot) -> TimeSlot:
    doctor = _lock_doctor(slot.doctor_id)
    slot = TimeSlot.objects.select_for_update(no_key=True).get(pk=slot.pk)
    slot.doctor = doctor
    if slot.withdrawn_at:
        raise rule_error("time_slot", _("This time slot was withdrawn."), "not_found")
    if slot.appointments.live().exists():
        sentence = _("This time slot has an appointment. Cancel or reschedule it first.")
        raise rule_error("time_slot", sentence, "slot_in_use")
    return slot


def _check_size(plan: SlotPlan) -> None:
    if len(plan.dates) > MAX_DAYS:
        sentence = _("Choose at most %(days)s days.") % {"days": MAX_DAYS}
        raise ValidationError({"date_to": sentence})
    if not plan.starts:
        no_slot = _("No slot of that length fits between the start and the end time.")
        raise ValidationError({"slot_duration": no_slot})
    if len(plan.dates) * len(plan.starts) > MAX_SLOTS:
        sentence = _("This makes more than %(count)s slots.") % {"count": MAX_SLOTS}
        raise ValidationError({"slot_duration": sentence})


def _existing_intervals(doctor: Doctor, plan: SlotPlan) -> list[tuple[datetime, datetime]]:
    if not plan.dates:
        return []
    first, last = min(plan.dates), max(plan.dates) + timedelta(days=1)
    slots = doctor.time_slots.overlapping(clock.start_of_day(first), clock.start_of_day(last))
    return list(slots.values_list("starts_at", "ends_at"))


def _start_or_skip_reason(
    date: date, start_time: time, duration: timedelta, taken: list[tuple[datetime, datetime]]
) -> tuple[datetime, None] | tuple[None, str]:
    """Return (starts_at, None), or (None, reason) where the slot is skipped."""
    try:
        starts_at = clock.clinic_datetime(date, start_time)
    except ValidationError as error:
        return None, error.code or ""
    ends_at = starts_at + duration
    # A slot that crosses midnight ends at a time that the clocks skip.
    if clock.to_clinic_time(ends_at).date() != date:
        return None, "nonexistent_time"
    if starts_at <= clock.now():
        return None, "slot_in_past"
    if any(start < ends_at and starts_at < end for start, end in taken):
        return None, "slot_overlap"
    return starts_at, None
