"""The plan of the made clinic: its doctors, patients, slots and visits.

Four fifths of the slots lie before this week, and seven tenths of these were booked. A fifth of the
slots from this Monday on are booked.
"""

import random
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import NamedTuple

SLOT, SLOTS_A_DAY, OPENS_AT = timedelta(minutes=20), 24, 8
SLOTS_A_WEEK = 5 * SLOTS_A_DAY

# The statuses of past visits, in turn. The first CONSULTED of them have a consultation.
ENDED = [*["completed"] * 11, *["cancelled"] * 2, "no_show"]
CONSULTED = 3
AHEAD = ["scheduled", "confirmed", "confirmed", "scheduled", "cancelled"]


class Visit(NamedTuple):
    pk: int
    slot: int
    doctor: int
    patient: int
    starts_at: datetime
    booked_at: datetime
    status: str
    is_consulted: bool


class Plan:
    """The ids of all people, slots and visits; ids count from 1.

    Slots are numbered in the order in which clinics open them: a week of one doctor, then the same
    week of the next doctor.
    """

    def __init__(self, scale, doctors=None, now=None):
        self.now = now or datetime.now(UTC)
        self.doctors = range(1, 1 + (doctors or max(2, round(20 * scale))))
        first = self.doctors.stop
        self.patients = range(first, first + round(20_000 * scale))
        self.slots = round(500_000 * scale)
        week, past = len(self.doctors) * SLOTS_A_WEEK, self.slots * 4 // 5
        self.past = past // week * week or past  # whole weeks, if there is one
        self.visits_past, self.visits_ahead = round(280_000 * scale), round(20_000 * scale)
        self.monday = self.now.date() - timedelta(days=self.now.weekday())
        self.weeks_past = -(-self.past // week)

    def _place(self, slot):
        """Returns (week, place within the week, place of the doctor), each from 0."""
        doctors_week, time = divmod(slot - 1, SLOTS_A_WEEK)
        week, doctor = divmod(doctors_week, len(self.doctors))
        return week, time, doctor

    def starts_at(self, slot):
        week, time, _ = self._place(slot)
        weekday, place = divmod(time, SLOTS_A_DAY)
        on = self.monday + timedelta(weeks=week - self.weeks_past, days=weekday)
        return datetime(on.year, on.month, on.day, OPENS_AT, tzinfo=UTC) + place * SLOT

    def doctor(self, slot):
        return self.doctors[self._place(slot)[2]]

    def turn(self, slot):
        """Returns the place of a slot in the order of time, then of doctors; from 0."""
        week, time, doctor = self._place(slot)
        return (week * SLOTS_A_WEEK + time) * len(self.doctors) + doctor

    def slot(self, turn):
        """Returns the slot with this turn; the inverse of `turn`."""
        time, doctor = divmod(turn, len(self.doctors))
        week, time = divmod(time, SLOTS_A_WEEK)
        return (week * len(self.doctors) + doctor) * SLOTS_A_WEEK + time + 1

    def later_turns(self):
        """Counts turns without end, from the first week without slots."""
        week, *_ = self._place(self.slots)
        return count((week + 1) * SLOTS_A_WEEK * len(self.doctors))

    def patient(self, slot):
        """Returns the patient of a slot; no patient has two slots at one time."""
        time, place = divmod(self.turn(slot), len(self.doctors))
        many = len(self.patients)
        return self.patients[(time * 7 + place * (many // len(self.doctors))) % many]

    def visits(self):
        dice = random.Random(1)  # noqa: S311 - not secret
        past, ahead = range(1, self.past + 1), range(self.past + 1, self.slots + 1)
        slots = sorted(dice.sample(past, self.visits_past), key=self.turn)
        slots += sorted(dice.sample(ahead, self.visits_ahead), key=self.turn)
        for number, slot in enumerate(slots):
            starts_at = self.starts_at(slot)
            is_past, turn = number < self.visits_past, number % len(ENDED)
            yield Visit(
                pk=number + 1,
                slot=slot,
                doctor=self.doctor(slot),
                patient=self.patient(slot),
                starts_at=starts_at,
                booked_at=min(starts_at, self.now) - timedelta(days=1 + number % 40),
                status=ENDED[turn] if is_past else AHEAD[number % len(AHEAD)],
                is_consulted=is_past and turn < CONSULTED,
            )

    def consulted(self):
        return enumerate((visit for visit in self.visits() if visit.is_consulted), 1)
