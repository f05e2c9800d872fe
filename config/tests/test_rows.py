"""Rows become the records that Django would make of them, and records the rows."""

import pytest
from django.db import IntegrityError, connection
from django.db.models import F, Value
from django.db.models.functions import Now, Upper
from django.db.models.query import ModelIterable
from django.db.models.sql.compiler import SQLInsertCompiler
from django.db.transaction import atomic, set_rollback
from django.test.utils import CaptureQueriesContext

from accounts.models import AuditEvent, IdempotencyKey, LoginCounter
from accounts.tests.factories import DoctorFactory
from appointments import clock
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.tests.factories import TimeSlotFactory, an_appointment, noon
from config.api import rows
from config.api.statements import KeptQuerySet
from consultations.models import Consultation, ConsultationNote
from consultations.tests.factories import a_consultation, with_parts
from patients.models import Patient
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


@pytest.fixture
def visits():
    """Of one doctor with one, another and again the first patient; then of another doctor."""
    house, jane, paul = DoctorFactory(), PatientFactory(), PatientFactory()
    for patient in (jane, paul, jane):
        an_appointment(doctor=house, patient=patient)
    visit = an_appointment(patient=jane)
    with_parts(a_consultation(appointment=visit))
    TimeSlotFactory(doctor=house)
    expires_at = noon()
    for key, user in (("a", jane), ("b", None), ("c", jane)):
        LoginCounter.objects.create(key=key, user=user, failures=1, expires_at=expires_at)


WAYS = {
    "by themselves": lambda: Appointment.objects.order_by("pk"),
    "with those they name": lambda: Appointment.objects.with_people().order_by("pk"),
    "with their names alone": lambda: Appointment.objects.with_names().order_by("pk"),
    "with something worked out": lambda: TimeSlot.objects.with_names().with_availability(),
    "with what names them": lambda: Appointment.objects.select_related("consultation"),
    "with the only one they name": lambda: Consultation.objects.select_related("appointment"),
    "with those whom those name": lambda: ConsultationNote.objects.select_related(
        "created_by", "consultation__appointment__patient"
    ),
    "with nobody, where they name nobody": lambda: (
        KeptQuerySet(LoginCounter).select_related("user").order_by("key")
    ),
    "of one whom all of them name": lambda: (
        Patient.objects.order_by("pk").first().appointments.select_related("doctor")
    ),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_record_is_what_django_makes_of_the_row(visits, way):
    for _ in range(2):  # the second time by what the first has found out
        ours, djangos = list(way()), list(ModelIterable(way()))
        assert ours
        assert list(map(told, ours)) == list(map(told, djangos))


def told(record, above=()):
    """All there is of it, and of what it has at hand."""
    if record is None or record in above:
        return record
    own = vars(record).copy()
    state = own.pop("_state")
    at_hand = {name: told(other, (*above, record)) for name, other in state.fields_cache.items()}
    return type(record), own, state.adding, state.db, at_hand


def test_rows_that_follow_each_other_share_whom_they_name(visits):
    one, other, third, fourth = Appointment.objects.with_names().order_by("pk")
    assert one.doctor is other.doctor is third.doctor
    assert one.patient == third.patient
    assert third.patient is fourth.patient
    assert third.doctor != fourth.doctor


def test_what_a_statement_finds_out_is_kept_with_it(visits, monkeypatch):
    house, other = Appointment.objects.order_by("pk")[2].doctor, DoctorFactory()
    assert len(Appointment.objects.with_names().filter(doctor=house)) == 3
    monkeypatch.setattr(rows, "maker", None)
    monkeypatch.setattr("config.api.statements.maker", None)
    assert len(Appointment.objects.with_names().filter(doctor=house)) == 3
    assert not Appointment.objects.with_names().filter(doctor=other)
