"""The rows of the made clinic, as {column: value}; other columns get the model's default."""

from datetime import date
from types import SimpleNamespace

from accounts.models.searchable import search_columns
from benchmarks.dataset.plan import SLOT

FIRST_NAMES = ["Ana", "Ben", "Chloe", "David", "Elif", "Felix", "Greta", "Hugo", "Ines", "Jonas"]
LAST_NAMES = ["Adler", "Brown", "Costa", "Dubois", "Evans", "Fischer", "Garcia", "Horvat", "Ito"]
SPECIALIZATIONS = ["General Practice", "Cardiology", "Dermatology", "Neurology", "Paediatrics"]
REASONS = ["A cough that does not go away", "Chest pain on the stairs", "A rash", "Back pain"]
TYPES = ["general", "follow_up", "routine_checkup", "specialist"]
PRIORITIES = ["medium", "low", "medium", "high", "medium", "urgent"]

ACTIONS = {  # {status: the action that leads there from `scheduled`}
    "confirmed": "confirm",
    "completed": "complete",
    "cancelled": "cancel",
    "no_show": "no_show",
}


def people(plan):
    for pk in [*plan.doctors, *plan.patients]:
        is_doctor = pk in plan.doctors
        kind = "doctor" if is_doctor else "patient"
        row = {
            "id": pk,
            "password": f"!{pk}",  # no password matches this hash
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
        yield row | search_columns(SimpleNamespace(contact_email="", **row))


def slots(plan):
    for pk in range(1, plan.slots + 1):
        starts_at = plan.starts_at(pk)
        yield {
            "id": pk,
            "doctor_id": plan.doctor(pk),
            "starts_at": starts_at,
            "ends_at": starts_at + SLOT,
            "created_at": plan.starts_at(1),
        }


def appointments(plan):
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
    """Yields (visit, action, source status, target status, instant) for each step of each visit."""
    for visit in plan.visits():
        yield visit, "book", "", "scheduled", visit.booked_at
        if action := ACTIONS.get(visit.status):
            when = min(visit.starts_at, plan.now)
            yield visit, action, "scheduled", visit.status, when


def history(plan):
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


def events(plan):
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


def consultations(plan):
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


def vital_signs(plan):
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


def prescriptions(plan):
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


def first_versions(rows):
    """Yields the history rows of django-simple-history for rows that never changed."""
    for row in rows:
        yield row | {
            "history_date": row.get("created_at", row.get("recorded_at")),
            "history_type": "+",
        }
