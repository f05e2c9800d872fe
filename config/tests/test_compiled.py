"""Queries that are built once give what a queryset that is built anew would give."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import F
from django.db.transaction import TransactionManagementError, atomic
from django.test.utils import CaptureQueriesContext

from accounts.authentication import OF_TOKEN
from accounts.models import Session
from accounts.sessions import open_session
from accounts.tests.helpers import on_postgresql
from appointments.models import Appointment, TimeSlot
from appointments.services import PATIENT_TO_LOCK, SLOT_TO_LOCK, SLOTS_IN_THE_WAY
from appointments.tests.factories import TimeSlotFactory, an_appointment, noon
from config.api.compiled import CompiledQuery
from config.api.query_shapes import UnknownPart
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

OF_PATIENT = CompiledQuery(lambda patient: Appointment.objects.filter(patient=patient), int)


def test_each_value_has_rows_of_its_own():
    one, other = an_appointment(), an_appointment()
    for appointment in (one, other, one):
        assert OF_PATIENT(appointment.patient_id) == [appointment]
    assert OF_PATIENT(0) == []
    with atomic():
        assert SLOT_TO_LOCK(2**70) == []  # which no column holds


def test_it_is_compiled_once_of_examples():
    built = []

    def build(pk):
        built.append(pk)
        return Patient.objects.filter(pk=pk)

    by_key, people = CompiledQuery(build, int), [PatientFactory(), PatientFactory()]
    assert by_key(people[0].pk) == [people[0]]
    assert len(set(built) - {people[0].pk}) == 2
    built.clear()
    by_key.build = None
    compiled = by_key.compiled[connection.vendor]
    compiler = Patient.objects.all().query.get_compiler(connection=connection)
    assert [compiled.rows_for([one.pk], compiler) for one in people] == [[one] for one in people]
    assert not built


def test_what_it_found_is_not_kept():
    appointment = an_appointment()
    [seen] = OF_PATIENT(appointment.patient_id)
    Appointment.objects.update(symptoms="A cough")
    [again] = OF_PATIENT(appointment.patient_id)
    assert (seen.symptoms, again.symptoms) == ("", "A cough")
    assert again is not seen


ASKED = {  # with what, say
    OF_TOKEN: [UUID(int=7)],
    PATIENT_TO_LOCK: [7],
    SLOT_TO_LOCK: [7],
    SLOTS_IN_THE_WAY: [7, 7, noon(1), noon(2)],
}


@pytest.mark.parametrize("asked", ASKED)
def test_it_asks_what_its_queryset_asks(asked):
    values = ASKED[asked]
    with atomic(), CaptureQueriesContext(connection) as said:
        for _ in range(2):
            asked(*values)
        list(asked.build(*values))
    assert len({one["sql"] for one in said.captured_queries}) == 1


@pytest.mark.parametrize("values", [[], [7, 7], [None], ["7"], [noon(1)]])
def test_values_of_another_number_or_kind_are_refused(values):
    with pytest.raises(TypeError, match="are compared"):
        PATIENT_TO_LOCK(*values)


@pytest.mark.django_db(transaction=True)
@on_postgresql
def test_a_lock_outside_a_transaction_is_refused_as_ever():
    slot = TimeSlotFactory()
    with atomic():
        assert SLOT_TO_LOCK(slot.pk) == [slot]
    with pytest.raises(TransactionManagementError):
        SLOT_TO_LOCK(slot.pk)


def test_a_slot_and_a_patient_may_have_the_same_id():
    slot = TimeSlotFactory(pk=7_000_001)
    patient = PatientFactory(pk=7_000_001)
    elsewhere = an_appointment(patient=patient, time_slot=TimeSlotFactory(starts_at=noon(9)))

    def in_the_way(day):
        return SLOTS_IN_THE_WAY(slot.pk, patient.pk, noon(day), noon(day) + timedelta(1))

    assert in_the_way(9) == [elsewhere.time_slot_id]
    assert in_the_way(20) == []


def test_a_session_is_found_by_its_id_alone():
    mine, other = PatientFactory(), PatientFactory()
    for person in (mine, other):
        open_session(person)
    for session in Session.objects.all():
        [found] = OF_TOKEN(session.pk)
        assert (found, found.user) == (session, session.user)
    assert OF_TOKEN(uuid4()) == []


NOT_COMPARED = {
    "a value that is not used": lambda pk: Patient.objects.all(),
    "a value in a subquery": lambda pk: TimeSlot.objects.filter(
        appointments__in=Appointment.objects.filter(patient=pk)
    ),
    "also in a subquery": lambda pk: TimeSlot.objects.filter(
        doctor=pk, appointments__in=Appointment.objects.filter(doctor=pk)
    ),
    "a value that is changed": lambda pk: Patient.objects.filter(pk=pk + 1),
    "no comparison": lambda pk: Patient.objects.filter(pk=F("pk") + pk),
    "also where nothing is compared": lambda pk: Patient.objects.filter(pk=pk).order_by(
        F("pk") + pk
    ),
    "a page": lambda pk: Patient.objects.filter(pk=pk)[:20],
    "what is fetched afterwards": lambda pk: Patient.objects.filter(pk=pk).prefetch_related(
        "appointments"
    ),
    "what is known of them": lambda pk: Patient(pk=3).appointments.filter(pk=pk),
    "more than a column": lambda pk: Patient.objects.filter(pk=pk).values_list("pk", "email"),
    "what is worked out": lambda pk: TimeSlot.objects.with_availability().filter(pk=pk),
}


@pytest.mark.parametrize("build", NOT_COMPARED.values(), ids=NOT_COMPARED)
def test_what_is_not_simply_compared_is_refused(build):
    with pytest.raises((TypeError, UnknownPart)):
        CompiledQuery(build, int)(7)
