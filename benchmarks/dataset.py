"""A clinic some years old, the same every time: for `--scale 1` 20 doctors, 20,000 patients,
500,000 slots, 300,000 appointments and 60,000 consultations, with their history and audit rows.

    DATABASE_URL=postgres://... python -m benchmarks.dataset --scale 0.1

A clinic of another scale has more doctors or fewer, as busy as these and for as many years; with
`--doctors` it has as many as that, and more years behind it or fewer.

Written by COPY into a database on PostgreSQL that is empty. Four fifths of the slots lie before
this week, and of those seven tenths were booked; from this Monday on it is a fifth.
"""

import argparse
import os
import random
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import NamedTuple

SLOT, SLOTS_A_DAY, OPENS_AT = timedelta(minutes=20), 24, 8
SLOTS_A_WEEK = 5 * SLOTS_A_DAY

FIRST_NAMES = ["Ana", "Ben", "Chloe", "David", "Elif", "Felix", "Greta", "Hugo", "Ines", "Jonas"]
LAST_NAMES = ["Adler", "Brown", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Horvat", "Ito"]
SPECIALIZATIONS = ["General Practice", "Cardiology", "Dermatology", "Neurology", "Paediatrics"]
REASONS = ["A cough that does not go away", "Chest pain on the stairs", "A rash", "Back pain"]
TYPES = ["general", "follow_up", "routine_checkup", "specialist"]
PRIORITIES = ["medium", "low", "medium", "high", "medium", "urgent"]

# How past visits ended, in turns; the first three have a consultation.
ENDED = [*["completed"] * 11, *["cancelled"] * 2, "no_show"]
CONSULTED = 3
AHEAD = ["scheduled", "confirmed", "confirmed", "scheduled", "cancelled"]
MOVES = {  # what led there from scheduled
    "confirmed": "confirm",
    "completed": "complete",
    "cancelled": "cancel",
    "no_show": "no_show",
}


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
    """Who is there, and who meets whom when; numbers count from 1, as the rows' ids do.

    Slots follow each other as clinics open them: the week of one doctor, that of the next.
    """

    def __init__(self, scale, doctors=None, now=None):
        self.now = now or datetime.now(UTC)
        self.doctors = range(1, 1 + (doctors or max(2, round(20 * scale))))
        first = self.doctors.stop
        self.patients = range(first, first + round(20_000 * scale))
        self.slots = round(500_000 * scale)
        week, past = len(self.doctors) * SLOTS_A_WEEK, self.slots * 4 // 5
        self.past = past // week * week or past  # whole weeks, where there is one
        self.visits_past, self.visits_ahead = round(280_000 * scale), round(20_000 * scale)
        self.monday = self.now.date() - timedelta(days=self.now.weekday())
        self.weeks_past = -(-self.past // week)

    def _place(self, slot):
        """(week, place within it, place of the doctor), each from 0."""
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
        """Its place among all slots as they come, those of one time by their doctors; from 0."""
        week, time, doctor = self._place(slot)
        return (week * SLOTS_A_WEEK + time) * len(self.doctors) + doctor

    def slot(self, turn):
        """The one whose turn it is."""
        time, doctor = divmod(turn, len(self.doctors))
        week, time = divmod(time, SLOTS_A_WEEK)
        return (week * len(self.doctors) + doctor) * SLOTS_A_WEEK + time + 1

    def later_turns(self):
        """Without end, from the first week in which no doctor has slots."""
        week, *_ = self._place(self.slots)
        return count((week + 1) * SLOTS_A_WEEK * len(self.doctors))

    def patient(self, slot):
        """Nobody twice at one time."""
        time, place = divmod(self.turn(slot), len(self.doctors))
        many = len(self.patients)
        return self.patients[(time * 7 + place * (many // len(self.doctors))) % many]

    def visits(self):
        dice = random.Random(1)  # noqa: S311 - it need not be unforeseeable
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


def fill(scale, doctors=None):
    """Fill the database this process is configured for; the Plan it went by."""
    from django.db import connection

    from accounts.models import AuditEvent, IdempotencyKey, User
    from appointments.models import Appointment, AppointmentHistory, TimeSlot
    from benchmarks.copying import copy, set_column_defaults
    from consultations.models import Consultation, Prescription, VitalSigns

    plan = Plan(scale, doctors)
    copy(User, _people(plan))
    copy(User.history.model, _first_versions(_people(plan)))
    copy(TimeSlot, _slots(plan))
    copy(Appointment, _appointments(plan))
    copy(AppointmentHistory, _history(plan))
    copy(AuditEvent, _events(plan))
    for model, rows in (
        (Consultation, _consultations),
        (VitalSigns, _vital_signs),
        (Prescription, _prescriptions),
    ):
        copy(model, rows(plan))
        copy(model.history.model, _first_versions(rows(plan)))
    for model in (Appointment, AppointmentHistory, AuditEvent, IdempotencyKey):
        set_column_defaults(model)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
    return plan


# --- Rows, as {column: value}; what is left out has the model's default ------------------------


def _people(plan):
    for pk in [*plan.doctors, *plan.patients]:
        is_doctor = pk in plan.doctors
        kind = "doctor" if is_doctor else "patient"
        yield {
            "id": pk,
            "password": f"!{pk}",  # no password fits
            "username": f"{kind}{pk}",
            "email": f"{kind}{pk}@example.com",
            "user_type": kind,
            "first_name": FIRST_NAMES[pk % 10],
            "last_name": f"{LAST_NAMES[pk % 9]}-{pk}",
            "phone": f"+49 30 {pk:07}",
            "date_of_birth": date(1940 + pk % 80, 1 + pk % 12, 1 + pk % 28),
            "gender": ["female", "male"][pk % 2],
            "medical_license_number": f"MD-{pk}" if is_doctor else "",
            "specialization": SPECIALIZATIONS[pk % 5] if is_doctor else "",
            "license_verified": is_doctor,
            "medical_history": "" if is_doctor else "Asthma since childhood, appendix out.",
            "allergies": "" if is_doctor or pk % 4 else "Penicillin, peanuts",
            "created_at": plan.starts_at(1),
            "updated_at": plan.starts_at(1),
        }


def _slots(plan):
    for pk in range(1, plan.slots + 1):
        starts_at = plan.starts_at(pk)
        yield {
            "id": pk,
            "doctor_id": plan.doctor(pk),
            "starts_at": starts_at,
            "ends_at": starts_at + SLOT,
            "created_at": plan.starts_at(1),
        }


def _appointments(plan):
    for visit in plan.visits():
        yield {
            "id": visit.pk,
            "patient_id": visit.patient,
            "doctor_id": visit.doctor,
            "time_slot_id": visit.slot,
            "starts_at": visit.starts_at,
            "ends_at": visit.starts_at + SLOT,
            "status": visit.status,
            "consultation_type": TYPES[visit.pk % 4],
            "priority": PRIORITIES[visit.pk % 6],
            "reason_for_visit": REASONS[visit.pk % 4],
            "symptoms": "Since last week, worse in the morning." if visit.pk % 3 else "",
            "contact_phone": f"+49 30 {visit.patient:07}",
            "doctor_notes": "" if visit.pk % 5 else "Bring the last results.",
            "booked_by_id": visit.patient,
            "created_at": visit.booked_at,
            "updated_at": visit.booked_at,
        }


def _steps(plan):
    """(visit, action, from status, to status, when) of everything that happened to them."""
    for visit in plan.visits():
        yield visit, "book", "", "scheduled", visit.booked_at
        if action := MOVES.get(visit.status):
            when = min(visit.starts_at, plan.now)
            yield visit, action, "scheduled", visit.status, when


def _history(plan):
    for visit, action, before, after, when in _steps(plan):
        yield {
            "appointment_id": visit.pk,
            "action": action,
            "from_status": before,
            "to_status": after,
            "from_starts_at": visit.starts_at if before else None,
            "to_starts_at": visit.starts_at,
            "changed_by_id": visit.doctor if before else visit.patient,
            "created_at": when,
        }


def _events(plan):
    for visit, action, before, _, when in _steps(plan):
        yield {
            "at": when,
            "actor": visit.doctor if before else visit.patient,
            "role": "doctor" if before else "patient",
            "session": "08f4aba3-cd3f-4be6-a2e0-135ebe40266a",
            "action": "U" if before else "C",
            "event": f"appointment.{action}",
            "records": [f"appointment/{visit.pk}"],
            "patients": [visit.patient],
            "changed": ["status"] if before else [],
            "request_id": "865b91fd3dcf43d5b84231afe53a07f1",
            "address": "192.0.2.7",
        }


def _consultations(plan):
    for pk, visit in plan.consulted():
        yield {
            "id": pk,
            "appointment_id": visit.pk,
            "patient_id": visit.patient,
            "doctor_id": visit.doctor,
            "started_at": visit.starts_at,
            "ended_at": visit.starts_at + SLOT,
            "chief_complaint": REASONS[visit.pk % 4],
            "assessment": "Nothing that would be urgent; see again if it stays.",
            "diagnosis": "A cold",
            "treatment_plan": "Rest, and come back in two weeks.",
            "created_at": visit.starts_at,
            "updated_at": visit.starts_at + SLOT,
        }


def _vital_signs(plan):
    for pk, visit in plan.consulted():
        yield {
            "id": pk,
            "consultation_id": pk,
            "systolic_bp": 105 + pk % 40,
            "diastolic_bp": 65 + pk % 25,
            "heart_rate": 58 + pk % 40,
            "temperature": 36.1 + pk % 20 / 10,
            "weight": 55 + pk % 40,
            "height": 155 + pk % 40,
            "recorded_by_id": visit.doctor,
            "recorded_at": visit.starts_at,
        }


def _prescriptions(plan):
    for pk, visit in plan.consulted():
        yield {
            "id": pk,
            "consultation_id": pk,
            "medication_name": ["Ibuprofen", "Paracetamol", "Xylometazoline"][pk % 3],
            "dosage": "400 mg",
            "frequency": "three times a day",
            "duration": "5 days",
            "quantity": 15,
            "prescribed_by_id": visit.doctor,
            "created_at": visit.starts_at,
        }


def _first_versions(rows):
    """What django-simple-history keeps of rows that never changed."""
    for row in rows:
        yield row | {
            "history_date": row.get("created_at", row.get("recorded_at")),
            "history_type": "+",
        }


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--scale", type=float, default=1, help="0.1, 1, 10; not below 0.02")
    options.add_argument("--doctors", type=int)
    asked = options.parse_args()
    from verification.server import configure

    configure(os.environ["DATABASE_URL"])
    plan = fill(asked.scale, asked.doctors)
    visits = plan.visits_past + plan.visits_ahead
    people = f"{len(plan.doctors)} doctors, {len(plan.patients)} patients"
    print(f"{people}, {plan.slots} slots, {visits} appointments")


if __name__ == "__main__":
    main()
