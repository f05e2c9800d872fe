"""The demo clinic: two weeks behind, today and two weeks ahead, made by the product's own services.

The past is made by setting the clinic's clock back. Everything is decided by the date and by
demo_clinic.json, so that the same days always look the same. A visit there either takes place
(complaint, closing, vital signs, prescriptions, notes) or has an `outcome`: the move that ends it.
"""

import json
from datetime import datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

from django.test.utils import override_settings

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

# Published: config.checks refuses to start a production in which one of them opens a door.
SIGN_INS = {"admin": "admin123"} | {
    person["username"]: CLINIC["password"] for person in CLINIC["doctors"] + CLINIC["patients"]
}

VISITS = {
    (visit["doctor"], visit["patient"], visit["appointment"]["reason_for_visit"]): visit
    for visit in CLINIC["visits"]
}

DAYS = 14  # shown on either side of today
WORKING_DAYS = 5  # a week
OPENS, CLOSES = time(9), time(17)
LAST_MINUTE = time(23, 59)
VISIT = timedelta(minutes=30)

# How long before it a day is opened, a visit asked for and, where it is, confirmed and cancelled.
OPENED = timedelta(days=7)
ASKED = timedelta(days=3)
CONFIRMED = timedelta(days=2)
CANCELLED = timedelta(hours=2)


@override_settings(**dict.fromkeys(booking_rules.RULES, 0))
@atomic_with_retry
def make_clinic():
    """Make what is missing of the demo, and let the rest of it live on until now.

    A day that has appointments is not filled again, and what a visitor booked is left alone. The
    clinic's rules for patients bind its visitors, not those who come in its story.
    """
    _make_people()
    for date in _days_shown():
        if not _appointments().on(date).exists():
            _fill(date)
    if not _somebody_is_here():
        _fill_the_hours_around_now()
    _live_until_now()


# --- People ---------------------------------------------------------------------------------


def _make_people():
    known = set(User.objects.filter(username__in=SIGN_INS).values_list("username", flat=True))
    if "admin" not in known:
        User.objects.create_superuser("admin", "admin@example.com", SIGN_INS["admin"])
    for person in CLINIC["doctors"]:
        if person["username"] not in known:
            accounts.register(user_type=UserType.DOCTOR, password=CLINIC["password"], **person)
    for person in CLINIC["patients"]:
        if person["username"] not in known:
            patients.create_patient(password=CLINIC["password"], **person)
    for doctor in _doctors().filter(license_verified=False):
        accounts.verify_licence(doctor)


def _doctors():
    usernames = [person["username"] for person in CLINIC["doctors"]]
    return Doctor.objects.filter(username__in=usernames).order_by("pk")


def _appointments():
    return Appointment.objects.filter(doctor__in=_doctors())


# --- The days -------------------------------------------------------------------------------


def _days_shown():
    """The weekdays around today, and today in any case."""
    today = clock.today()
    days = [today + timedelta(days=distance) for distance in range(-DAYS, DAYS + 1)]
    return [date for date in days if date.weekday() < WORKING_DAYS or date == today]


def _fill(date):
    """A day's slots, and one visit with each doctor. In ten working days everything occurs."""
    number = (date.toordinal() - 1) // 7 * WORKING_DAYS + date.weekday()
    for place, doctor in enumerate(_doctors().bookable()):
        slots = _open(doctor, date, OPENS, CLOSES)
        visits = _visits_with(doctor)
        _book(
            visits[number % len(visits)],
            _rotated(slots, number * 3 + place * len(slots) // 2),
            confirmed=(number + place) % 2,
        )


def _fill_the_hours_around_now():
    """Visits from an hour ago to an hour and a half ahead, but within today, with one doctor."""
    now = clock.to_clinic_time(clock.now())
    quarter = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    opens = max(quarter - 2 * VISIT, datetime.combine(now, time.min, now.tzinfo))
    closes = min(quarter + 3 * VISIT, datetime.combine(now, LAST_MINUTE, now.tzinfo))
    for doctor in _doctors().bookable():
        slots = _open(doctor, now.date(), opens.time(), closes.time())
        if slots and slots[0].starts_at <= now:
            visits = [visit for visit in _visits_with(doctor) if takes_place(visit)]
            for place, slot in enumerate(slots):
                _book_one_of(_rotated(visits, now.toordinal() + place), slot, confirmed=place % 2)
            return


def _open(doctor, date, opens, closes):
    """The free slots of the doctor between two clock times, opened where there were none."""
    moment = _before(clock.start_of_day(date), OPENED)
    with clock.frozen_at(moment):
        open_slots(doctor=doctor, plan=SlotPlan([date], opens, closes, VISIT))
        free = list(TimeSlot.objects.free().filter(doctor=doctor).between(date, date))
    return [slot for slot in free if opens < slot.end_time and slot.start_time < closes]


def _before(moment, distance):
    """That long before the moment, and before now where the moment is still to come."""
    return min(clock.now(), moment) - distance


def _visits_with(doctor):
    return [visit for visit in CLINIC["visits"] if visit["doctor"] == doctor.username]


def _rotated(items, by):
    turn = by % len(items) if items else 0
    return items[turn:] + items[:turn]


# --- Booking --------------------------------------------------------------------------------


def _book_one_of(visits, slot, *, confirmed):
    """Book one of the visits that is not on the slot's day yet, rather of whom it sees least."""
    on_that_day = _appointments().on(slot.date).with_people()
    known = [visit for visit in map(visit_of, on_that_day) if visit]
    seen = [visit["patient"] for visit in known]
    for visit in sorted(visits, key=lambda visit: seen.count(visit["patient"])):
        if visit not in known and _book(visit, [slot], confirmed=confirmed):
            return


def _book(visit, slots, *, confirmed):
    """The visit in the first of the slots that suits its patient; None where none does."""
    patient = Patient.objects.filter(username=visit["patient"], is_active=True).first()
    slot = next((slot for slot in slots if patient and _has_time(patient, slot)), None)
    if slot is None:
        return None
    with clock.frozen_at(_before(slot.starts_at, ASKED)):
        appointment = appointments.book(
            patient=patient, time_slot=slot, by=patient, **visit["appointment"]
        )
    if confirmed:
        with clock.frozen_at(_before(slot.starts_at, CONFIRMED)):
            appointments.move(appointment, "confirm", by=appointment.doctor)
    return appointment


def _has_time(patient, slot):
    held = patient.appointments.live().overlapping(slot.starts_at, slot.ends_at)
    return not held.exists()


# --- What takes place -----------------------------------------------------------------------


def visit_of(appointment):
    """What the demo knows of an appointment; None where a visitor of the demo made it."""
    key = appointment.doctor.username, appointment.patient.username
    return VISITS.get((*key, appointment.reason_for_visit))


def takes_place(visit):
    return "outcome" not in visit


def _begun():
    """The demo's own appointments whose time has come and which nobody has ended, oldest first."""
    rows = _appointments().filter(
        starts_at__lte=clock.now(), status__in=UPCOMING | {Status.IN_PROGRESS}
    )
    return [row for row in rows.with_people().soonest_first() if visit_of(row)]


def _begun_today():
    return [row for row in _begun() if row.date == clock.today() and takes_place(visit_of(row))]


def _somebody_is_here():
    return any(
        row.status == Status.IN_PROGRESS or row.ends_at > clock.now() for row in _begun_today()
    )


def _live_until_now():
    """Receive whose time it is, or else let today's last visit run over; end all before that."""
    now = clock.now()
    today = _begun_today()
    here = [row for row in today if row.ends_at > now] or today[-1:]
    for appointment in _begun():
        if appointment in here:
            _receive(appointment)
        elif appointment.ends_at <= now:
            _end(appointment)


def _end(appointment):
    visit = visit_of(appointment)
    if takes_place(visit):
        _complete(appointment, visit)
    elif appointment.status in UPCOMING:
        _miss(appointment, **visit["outcome"])


def _miss(appointment, *, action, reason):
    """The patient cancels in good time, or the doctor notes that nobody came."""
    if action == "cancel":
        moment, by = appointment.starts_at - CANCELLED, appointment.patient
    else:
        moment, by = appointment.ends_at, appointment.doctor
    with clock.frozen_at(moment):
        appointments.move(appointment, action, by=by, reason=reason)


def _receive(appointment):
    """The consultation, begun and with its first measurements."""
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
    """The whole visit; what a visitor of the demo wrote stays, and listed allergies are heeded."""
    doctor = appointment.doctor
    consultation = _receive(appointment)
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
