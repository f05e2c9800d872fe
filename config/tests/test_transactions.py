"""Transactions that the database aborts for concurrency are retried once and are never partial."""

import pytest
from django.db import OperationalError, connection, transaction

from accounts.models import IdempotencyKey
from accounts.tests.factories import DoctorFactory
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.tests.factories import TimeSlotFactory
from config.db.transactions import atomic_with_retry
from config.tests.lock_waiting import run_behind_lock
from config.tests.test_faults import is_unavailable
from patients.models import Patient
from patients.tests.factories import PatientFactory

pytestmark = [
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite gives no transaction up for another"
    ),
    pytest.mark.django_db(transaction=True),
]

URL = "/api/appointments/"
SLOT_LOCK, HISTORY = 'FROM "appointments_timeslot"', 'INSERT INTO "appointments_appointmenthistory"'


class Work:
    """Creates a patient and fails with the given SQLSTATE in each run; "" lets the run succeed."""

    def __init__(self, *fates):
        self.fates, self.runs = list(fates), 0

    def __call__(self):
        self.runs += 1
        Patient.objects.create(username=f"patient-{self.runs}", user_type="patient")
        if fate := self.fates.pop(0):
            raise_sqlstate(fate)
        return self.runs


def raise_sqlstate(sqlstate):
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'No' USING ERRCODE = '{sqlstate}'; END $$")


def booking(slot):
    return {"time_slot": slot.pk, "reason_for_visit": "A cough"}


def stored_rows():
    return Appointment.objects.count(), AppointmentHistory.objects.count()


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
def test_an_aborted_transaction_is_retried_without_its_first_attempt(sqlstate):
    work = Work(sqlstate, "")

    result = atomic_with_retry(work)()

    assert (result, work.runs) == (2, 2)
    assert list(Patient.objects.values_list("username", flat=True)) == ["patient-2"]


def test_a_transaction_aborted_twice_is_not_retried_again():
    work = Work("40P01", "40001", "")

    with pytest.raises(OperationalError):
        atomic_with_retry(work)()

    assert work.runs == 2
    assert not Patient.objects.exists()


@pytest.mark.parametrize("sqlstate", ["55P03", "57014", "53100"])
def test_other_errors_are_not_retried(sqlstate):
    work = Work(sqlstate, "")

    with pytest.raises(OperationalError):
        atomic_with_retry(work)()

    assert work.runs == 1
    assert not Patient.objects.exists()


def test_a_nested_transaction_is_retried_with_the_outer_one():
    part = Work("40P01", "")
    whole_runs = []

    @atomic_with_retry
    def outer():
        whole_runs.append(len(whole_runs))
        DoctorFactory(username=f"doctor-{len(whole_runs)}")
        return atomic_with_retry(part)()

    outer()

    assert (len(whole_runs), part.runs) == (2, 2)
    assert list(Patient.objects.values_list("username", flat=True)) == ["patient-2"]


def test_on_commit_callbacks_run_once_for_the_successful_attempt():
    heard, fates = [], ["40001", ""]

    @atomic_with_retry
    def work():
        transaction.on_commit(lambda: heard.append(len(fates)))
        if fate := fates.pop(0):
            raise_sqlstate(fate)

    work()

    assert heard == [0]


@pytest.mark.parametrize("key", [{}, {"HTTP_IDEMPOTENCY_KEY": "a-key-of-mine"}])
def test_a_booking_that_runs_into_a_deadlock_succeeds(api, key):
    slot, patient = TimeSlotFactory(), PatientFactory()
    client, answers = api(patient), []

    def lock_slot():
        with connection.cursor() as cursor:
            cursor.execute(
                "SET LOCAL deadlock_timeout = '1min'"
            )  # so that the booking is aborted, and not this transaction
        TimeSlot.objects.select_for_update().get(pk=slot.pk)

    def book():  # locks the patient and waits for the slot ...
        answers.append(client.post(URL, booking(slot), **key))

    def lock_patient():  # ... while the other one has locked the slot and waits for the patient.
        Patient.objects.select_for_update().get(pk=patient.pk)

    outcome = run_behind_lock(lock_slot, book, while_waiting=lock_patient)

    assert outcome == (True, "done")
    assert [answer.status_code for answer in answers] == [201]
    assert stored_rows() == (1, 1)
    assert IdempotencyKey.objects.count() == len(key)


def test_a_booking_that_fails_to_serialize_succeeds(api, outsider):
    slot = TimeSlotFactory()
    client = api(PatientFactory())
    changes = iter(["UPDATE appointments_timeslot SET ends_at = ends_at WHERE id = %s"])

    def update_first(execute, sql, params, many, context):
        if SLOT_LOCK in sql and "FOR NO KEY UPDATE" in sql and (change := next(changes, None)):
            with outsider.cursor() as cursor:
                cursor.execute(change, [slot.pk])
        return execute(sql, params, many, context)

    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_isolation = 'repeatable read'")
    with connection.execute_wrapper(update_first):
        answer = client.post(URL, booking(slot))

    assert answer.status_code == 201
    assert next(changes, None) is None
    assert stored_rows() == (1, 1)


def test_a_booking_that_is_aborted_twice_is_503_and_changes_nothing(api):
    client = api(PatientFactory(), raise_request_exception=False)
    tries = []

    def abort(execute, sql, params, many, context):
        if sql.startswith(HISTORY):
            tries.append(sql)
            raise_sqlstate("40P01")
        return execute(sql, params, many, context)

    with connection.execute_wrapper(abort):
        answer = client.post(URL, booking(TimeSlotFactory()))

    assert is_unavailable(answer)
    assert len(tries) == 2
    assert stored_rows() == (0, 0)
