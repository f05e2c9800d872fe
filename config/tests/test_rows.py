"""What goes into a row directly is what Django would have written."""

import pytest
from django.db import IntegrityError, connection
from django.db.models import F, Value
from django.db.models.functions import Now, Upper
from django.db.models.sql.compiler import SQLInsertCompiler
from django.db.transaction import atomic, set_rollback
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, IdempotencyKey
from appointments import clock
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import TimeSlotFactory, an_appointment, noon
from config.api import rows
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db


def an_event(**details):
    return AuditEvent(action="C", event="appointment.book", records=["appointment/7"], **details)


def a_key(**details):
    return IdempotencyKey(user=PatientFactory(), fingerprint="f" * 64, **{"key": "k"} | details)


def a_visit(slot=None, **details):
    slot = slot or TimeSlotFactory()
    times = {"starts_at": slot.starts_at, "ends_at": slot.ends_at, "doctor": slot.doctor}
    patient = PatientFactory()
    return Appointment(patient=patient, time_slot=slot, booked_by=patient, **times | details)


def an_entry(**details):
    return AppointmentHistory(
        appointment=an_appointment(), action="book", to_starts_at=noon(),
        changed_by=PatientFactory(), changes=["symptoms", "Ü\\"], **details,
    )  # fmt: skip


KINDS = [an_event, a_key, a_visit, an_entry]


def inserted(record):
    """What is there then, and by which statement; it is taken back."""
    with clock.at(noon()), CaptureQueriesContext(connection) as said, atomic():
        record.save(force_insert=True)
        row = type(record)._base_manager.values().get(pk=record.pk)
        set_rollback(True)
    [insert] = [one["sql"] for one in said.captured_queries if one["sql"].startswith("INSERT")]
    return row, insert


@pytest.mark.parametrize("pk", [None, 7_000_001])
@pytest.mark.parametrize("make", KINDS)
def test_a_row_is_what_django_makes_of_the_record(make, pk, monkeypatch):
    record = make(pk=pk)
    row, insert = inserted(record)
    assert record.pk == row["id"]
    record.pk, record._state.adding = pk, True
    monkeypatch.setattr(rows, "_insert_of", lambda *_: None)
    by_django, insert_by_django = inserted(record)
    assert insert == insert_by_django
    assert row | {"id": 0} == by_django | {"id": 0}


@pytest.mark.parametrize("make", KINDS)
def test_the_statement_is_written_once(make, monkeypatch):
    make().save(force_insert=True)
    one = make()
    monkeypatch.setattr(SQLInsertCompiler, "as_sql", None)
    one.save(force_insert=True)
    assert type(one)._base_manager.filter(pk=one.pk).exists()


def test_what_is_worked_out_by_the_database_is_left_to_django():
    key = a_key(key=Upper(Value("loud")), created_at=Now())
    key.save(force_insert=True)
    key.refresh_from_db()
    assert key.key == "LOUD"
    assert key.created_at


def test_the_column_of_another_row_is_refused_as_ever():
    with pytest.raises(ValueError, match="can only be used to update"):
        a_key(key=F("fingerprint")).save(force_insert=True)


def test_what_the_database_refuses_is_refused():
    slot = an_appointment().time_slot
    with pytest.raises(IntegrityError), atomic():
        a_visit(slot).save(force_insert=True)
    assert slot.appointments.count() == 1


def test_a_fixture_is_loaded_as_it_is():
    key = a_key(pk=7_000_001)
    key.save_base(raw=True, force_insert=True)
    assert IdempotencyKey.objects.get() == key
