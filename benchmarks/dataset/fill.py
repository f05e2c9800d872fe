"""Fills an empty PostgreSQL database with the planned clinic, by COPY."""

from benchmarks.dataset import rows
from benchmarks.dataset.plan import Plan


def fill(scale, doctors=None):
    """Fills the configured database, which must be empty, and returns the Plan."""
    from django.db import connection

    from accounts.models import AuditEvent, IdempotencyKey, User
    from appointments.models import Appointment, AppointmentHistory, TimeSlot
    from benchmarks.dataset.copying import copy, set_column_defaults
    from consultations.models import Consultation, Prescription, VitalSigns

    plan = Plan(scale, doctors)
    copy(User, rows.people(plan))
    copy(User.history.model, rows.first_versions(rows.people(plan)))
    copy(TimeSlot, rows.slots(plan))
    copy(Appointment, rows.appointments(plan))
    copy(AppointmentHistory, rows.history(plan))
    copy(AuditEvent, rows.events(plan))
    for model, rows_of in (
        (Consultation, rows.consultations),
        (VitalSigns, rows.vital_signs),
        (Prescription, rows.prescriptions),
    ):
        copy(model, rows_of(plan))
        copy(model.history.model, rows.first_versions(rows_of(plan)))
    for model in (Appointment, AppointmentHistory, AuditEvent, IdempotencyKey):
        set_column_defaults(model)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
    return plan
