"""The demo clinic: two weeks in the past, today and two weeks ahead, created by the services.

The clinic's clock is set back to create the past. The date and demo_clinic.json decide everything,
so that a day always has the same data. A visit of demo_clinic.json either takes place (complaint,
closing, vital signs, prescriptions, notes) or has an `outcome`, the move that ends it.
"""

import json
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from django.test.utils import override_settings

from accounts import licences
from accounts import services as accounts
from accounts.models import Doctor, User
from accounts.roles import UserType
from appointments import booking_rules, clock
from appointments import services as appointments
from appointments.lifecycle import UPCOMING, Status
from appointments.models import Appointment, TimeSlot
from appointments.slot_services import SlotPlan, open_slots
from config.db.transactions import atomic_with_retry
from consultations import allergy_check
from consultations import services as consultations
from consultations.models import Consultation
from patients import services as patients
from patients.models import Patient

CLINIC = json.loads(
    Path(__file__).with_name("demo_clinic.json").read_text(encoding="utf-8"), parse_float=Decimal
)

# These passwords are public: config.checks refuses to start in production where one of them works.
SIGN_INS = {"admin": "admin123"} | {
    person["username"]: CLINIC["password"] for person in CLINIC["doctors"] + CLINIC["patients"]
}

VISITS = {
    (visit["doctor"], visit["patient"], visit["appointment"]["reason_for_visit"]): visit
    for visit in CLINIC["visits"]
}

DAYS = 14  # before and after today
WORKING_DAYS = 5  # per week
OPENS, CLOSES = time(9), time(17)
LAST_MINUTE = time(23, 59)
VISIT = timedelta(minutes=30)

# How long before a day its slots are opened, and how long before a visit it is booked, confirmed
# and cancelled.
OPENED_BEFORE = timedelta(days=7)
BOOKED_BEFORE = timedelta(days=3)
CONFIRMED_BEFORE = timedelta(days=2)
CANCELLED_BEFORE = timedelta(hours=2)


@override_settings(**dict.fromkeys(booking_rules.RULES, 0))
@atomic_with_retry
def make_clinic():
    """Create the missing parts of the demo, and bring its appointments up to the current time.

    A day that has appointments is not filled again, and appointments that a visitor of the demo
    booked are not changed. The booking rules do not apply to the demo's own appointments.
    """
    _make_people()
    for date in _days():
        if not _appointments().on(date).exists():
            _fill(date)
    if not _has_current_visit():
        _fill_the_hours_around_now()
    _update_until_now()


# --- People ---------------------------------------------------------------------------------


def _make_people():
    known = set(User.objects.filter(username__in=SIGN_INS).values_list("username", flat=True))
    if "admin" not in known:
        User.objects.create_superuser("admin", "admin@example.com", SIGN_INS["admin"])
    for person in CLINIC["doctors"]:
        if person["username"] not in known:
            accounts.register(
                user_type=UserType.DOCTOR,
                password=CLINIC["password"],
                email_verified=True,
                **person,
            )
    for person in CLINIC["patients"]:
        if person["username"] not in known:
            patients.create_patient(
                by=User.objects.get(username="admin"),
                password=CLINIC["password"],
                email_verified=True,
                must_change_password=False,
                **person,
            )
    for doctor in _doctors().filter(license_verified=False):
        licences.verify_licence(doctor)


def _doctors():
    usernames = [person["username"] for person in CLINIC["doctors"]]
    return Doctor.objects.filter(username__in=usernames).order_by("pk")


def _appointments():
    return Appointment.objects.filter(doctor__in=_doctors())


# --- The days -------------------------------------------------------------------------------


def _days():
    """Return the weekdays around today, and today in any case."""
    today = clock.today()
    days = [today + timedelta(days=offset) for offset in range(-DAYS, DAYS + 1)]
    return [date for date in days if date.weekday() < WORKING_DAYS or date == today]


def _fill(date):
    """Open the slots of a day, and book one visit with each doctor.

    Ten working days contain every visit of demo_clinic.json.
    """
    number = (date.toordinal() - 1) // 7 * WORKING_DAYS + date.weekday()
    for position, doctor in enumerate(_doctors().bookable()):
        slots = _open(doctor, date, OPENS, CLOSES)
        visits = _visits_with(doctor)
        _book(
            visits[number % len(visits)],
            _rotated(slots, number * 3 + position * len(slots) // 2),
            confirmed=(number + position) % 2,
        )


def _fill_the_hours_around_now():
    """Book visits with one doctor from an hour ago to an hour and a half ahead, within today."""
    now = clock.to_clinic_time(clock.now())
    quarter = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    opens = max(quarter - 2 * VISIT, datetime.combine(now, time.min, now.tzinfo))
    closes = min(quarter + 3 * VISIT, datetime.combine(now, LAST_MINUTE, now.tzinfo))
    for doctor in _doctors().bookable():
        slots = _open(doctor, now.date(), opens.time(), closes.time())
        if slots and slots[0].starts_at <= now:
            visits = [visit for visit in _visits_with(doctor) if takes_place(visit)]
            for position, slot in enumerate(slots):
                rotated = _rotated(visits, now.toordinal() + position)
                _book_one_of(rotated, slot, confirmed=position % 2)
            return


def _open(doctor, date, opens, closes):
    """Open the missing slots between two clock times, and return the doctor's free slots there."""
    moment = _before(clock.start_of_day(date), OPENED_BEFORE)
    with clock.frozen_at(moment):
        open_slots(doctor=doctor, plan=SlotPlan([date], opens, closes, VISIT))
        free = list(TimeSlot.objects.free().filter(doctor=doctor).between(date, date))
    return [slot for slot in free if opens < slot.end_time and slot.start_time < closes]


def _before(moment, duration):
    """Return `duration` before `moment`, or before now where `moment` is in the future."""
    return min(clock.now(), moment) - duration


def _visits_with(doctor):
    return [visit for visit in CLINIC["visits"] if visit["doctor"] == doctor.username]


def _rotated(items, by):
    first = by % len(items) if items else 0
    return items[first:] + items[:first]


# --- Booking --------------------------------------------------------------------------------


def _book_one_of(visits, slot, *, confirmed):
    """Book a visit that the slot's day does not have yet, of the patient with the fewest visits."""
    same_day = _appointments().on(slot.date).with_people()
    booked = [visit for visit in map(visit_of, same_day) if visit]
    patients_booked = [visit["patient"] for visit in booked]
    for visit in sorted(visits, key=lambda visit: patients_booked.count(visit["patient"])):
        if visit not in booked and _book(visit, [slot], confirmed=confirmed):
            return


def _book(visit, slots, *, confirmed):
    """Book the visit in the first slot at which the patient is free; None where there is none."""
    patient = Patient.objects.filter(username=visit["patient"], is_active=True).first()
    slot = next((slot for slot in slots if patient and _is_free(patient, slot)), None)
    if slot is None:
        return None
    with clock.frozen_at(_before(slot.starts_at, BOOKED_BEFORE)):
        appointment = appointments.book(
            patient=patient, time_slot=slot, by=patient, **visit["appointment"]
        )
    if confirmed:
        with clock.frozen_at(_before(slot.starts_at, CONFIRMED_BEFORE)):
            appointments.move(appointment, "confirm", by=appointment.doctor)
    return appointment


def _is_free(patient, slot):
    conflicts = patient.appointments.live().overlapping(slot.starts_at, slot.ends_at)
    return not conflicts.exists()


# --- Visits ---------------------------------------------------------------------------------


def visit_of(appointment):
    """Return the visit of an appointment; None where a visitor of the demo booked it."""
    key = appointment.doctor.username, appointment.patient.username
    return VISITS.get((*key, appointment.reason_for_visit))


def takes_place(visit):
    return "outcome" not in visit


def _started():
    """Return the demo's own appointments whose start has passed and that are open, oldest first."""
    rows = _appointments().filter(
        starts_at__lte=clock.now(), status__in=UPCOMING | {Status.IN_PROGRESS}
    )
    return [row for row in rows.with_people().soonest_first() if visit_of(row)]


def _started_today():
    return [row for row in _started() if row.date == clock.today() and takes_place(visit_of(row))]


def _has_current_visit():
    return any(
        row.status == Status.IN_PROGRESS or row.ends_at > clock.now() for row in _started_today()
    )


def _update_until_now():
    """Start the visits of the current time, and end all earlier ones.

    Where no visit has the current time, today's last visit stays in progress.
    """
    now = clock.now()
    today = _started_today()
    current = [row for row in today if row.ends_at > now] or today[-1:]
    for appointment in _started():
        if appointment in current:
            _start(appointment)
        elif appointment.ends_at <= now:
            _end(appointment)


def _end(appointment):
    visit = visit_of(appointment)
    if takes_place(visit):
        _complete(appointment, visit)
    elif appointment.status in UPCOMING:
        _miss(appointment, **visit["outcome"])


def _miss(appointment, *, action, reason):
    """Let the patient cancel before the visit, or the doctor record a no-show after it."""
    if action == "cancel":
        moment, by = appointment.starts_at - CANCELLED_BEFORE, appointment.patient
    else:
        moment, by = appointment.ends_at, appointment.doctor
    with clock.frozen_at(moment):
        appointments.move(appointment, action, by=by, reason=reason)


def _start(appointment):
    """Return the consultation, started and with vital signs."""
    visit, doctor = visit_of(appointment), appointment.doctor
    consultation = Consultation.objects.filter(appointment=appointment).first()
    with clock.frozen_at(appointment.starts_at):
        if consultation is None:
            consultation = consultations.open_for(
                appointment, by=doctor, chief_complaint=visit["chief_complaint"]
            )
        if consultation.started_at is None:
            consultation = consultations.start(consultation, by=doctor)
            consultations.record_vital_signs(consultation, by=doctor, **visit["vital_signs"])
    return consultation


def _complete(appointment, visit):
    """Complete the visit.

    Texts of a visitor of the demo stay, and medications that the allergies list are left out.
    """
    doctor = appointment.doctor
    consultation = _start(appointment)
    closing = {
        field: text for field, text in visit["closing"].items() if not getattr(consultation, field)
    }
    with clock.frozen_at(max(appointment.ends_at, consultation.started_at)):
        for prescription in visit["prescriptions"]:
            name = prescription["medication_name"]
            if not allergy_check.matches(name, consultation.patient.allergies):
                consultations.prescribe(consultation, by=doctor, **prescription)
        for note in visit["notes"]:
            consultations.add_note(consultation, by=doctor, **note)
        consultations.complete(consultation, by=doctor, **closing)
