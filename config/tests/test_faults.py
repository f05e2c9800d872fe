"""A lost, slow or deadlocked database is answered with 503, and later requests succeed."""

import json

import pytest
from django.db import (
    DataError,
    InternalError,
    OperationalError,
    close_old_connections,
    connection,
    transaction,
)
from rest_framework.test import APIClient

from accounts.tests.factories import AdminFactory
from appointments.models import Appointment, AppointmentHistory
from appointments.tests.factories import TimeSlotFactory
from config.access_report import iter_endpoints
from config.api import exceptions
from patients.tests.factories import PatientFactory

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite has no server that could be lost"
)

CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK")
READABLE = sorted({endpoint.address for endpoint in iter_endpoints() if "get" in endpoint.actions})


class LoseConnection:
    """Fails every statement from the nth on; `asked` is the number of failed statements."""

    def __init__(self, nth):
        self.nth, self.asked = nth, 0

    def __call__(self, execute, sql, params, many, context):
        if sql.startswith(CONTROL):  # ends the test's own transaction
            return execute(sql, params, many, context)
        self.asked += 1
        if self.asked >= self.nth:
            raise OperationalError("server closed the connection unexpectedly: 10.0.0.7")
        return execute(sql, params, many, context)


def at_every_statement(ask):
    """Returns the responses to a request that loses the database at its 1st, 2nd, ... statement."""
    nth = 1
    while True:
        with transaction.atomic(), connection.execute_wrapper(lost := LoseConnection(nth)):
            answer = ask()
            transaction.set_rollback(True)
        if lost.asked < nth:
            return
        yield answer
        nth += 1


def is_unavailable(answer):
    body = json.loads(answer.content)
    return (
        (answer.status_code, answer["Retry-After"]) == (503, "5")
        and (body["status"], body["code"]) == ("error", "unavailable")
        and body["request_id"] == answer["X-Request-ID"]
        and "10.0.0.7" not in answer.content.decode()
    )


def filled(address, clinic):
    return address.format(
        pk=clinic.house.pk if "doctors" in address else clinic.appointment.pk,
        patient=clinic.jane.pk,
        consultation=clinic.consultation.pk,
    )


@pytest.fixture
def browser_of_ada(clinic):
    """A client signed in by cookie that returns errors as responses, as a server does."""
    browser = APIClient(raise_request_exception=False)
    browser.force_login(clinic.ada)
    return browser


@pytest.mark.parametrize("address", READABLE)
def test_a_read_is_503_whichever_statement_loses_the_database(api, clinic, address):
    client = api(clinic.ada, raise_request_exception=False)
    query = f"?doctor={clinic.house.pk}" if "availability" in address else ""

    answers = list(at_every_statement(lambda: client.get(filled(address, clinic) + query)))

    assert answers
    assert all(is_unavailable(answer) for answer in answers)


@pytest.mark.parametrize("debug", [False, True])
@pytest.mark.parametrize(
    "address",
    ["/", "/api/appointments/", "/api/time-slots/", "/api/auth/profile/"],
)
def test_a_browser_request_is_503_even_while_the_page_is_rendered(
    clinic, browser_of_ada, settings, address, debug
):
    settings.DEBUG = debug

    answers = list(
        at_every_statement(lambda: browser_of_ada.get(address, headers={"Accept": "text/html"}))
    )

    assert answers
    for answer in answers:
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "10.0.0.7" not in answer.content.decode()
        assert "unavailable" in answer.content.decode() or not address.startswith("/api/")


@pytest.mark.parametrize(
    ("who", "address", "body"),
    [
        ("jane", "/api/appointments/", {"time_slot": "free", "reason_for_visit": "A cough"}),
        ("house", "/api/appointments/{appointment}/confirm/", {}),
        ("house", "/api/appointments/{appointment}/reschedule/", {"time_slot": "free"}),
        ("house", "/api/consultations/{consultation}/vital-signs/", {"heart_rate": 70}),
        ("house", "/api/consultations/{consultation}/complete_consultation/", {}),
        ("jane", "/api/auth/login/", {"username": "jane", "password": "correct-horse-battery"}),
        ("jane", "/api/auth/password/reset/", {"email": "jane@example.com"}),
        ("house", "/api/patients/", {"first_name": "Mary", "last_name": "Major"}),
    ],
)
def test_a_write_is_503_and_changes_nothing(api, clinic, who, address, body):
    client = api(getattr(clinic, who), raise_request_exception=False)
    address = address.format(appointment=clinic.appointment.pk, consultation=clinic.consultation.pk)
    body = body | ({"time_slot": clinic.free.pk} if "time_slot" in body else {})
    before = AppointmentHistory.objects.count()

    answers = list(at_every_statement(lambda: client.post(address, body)))

    assert answers
    assert all(is_unavailable(answer) for answer in answers)
    assert AppointmentHistory.objects.count() == before


@pytest.mark.parametrize("debug", [False, True])
def test_the_admin_shows_503_on_a_plain_page(browser_of_ada, settings, debug):
    settings.DEBUG = debug

    answers = list(at_every_statement(lambda: browser_of_ada.get("/admin/")))

    assert answers
    for answer in answers:
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer["Content-Type"] == "text/plain"


@pytest.mark.parametrize("address", ["/api/doctors/", "/admin/"])
def test_a_failed_session_save_is_503(browser_of_ada, settings, address):
    settings.SESSION_SAVE_EVERY_REQUEST = True  # in the middleware, after the view

    answers = list(at_every_statement(lambda: browser_of_ada.get(address)))

    assert {answer.status_code for answer in answers} == {503}
    assert {answer["Retry-After"] for answer in answers} == {"5"}


# --- PostgreSQL server ----------------------------------------------------------------------


def terminate_our_backend(outsider):
    with outsider.cursor() as cursor:
        pid = connection.connection.info.backend_pid
        cursor.execute("SELECT pg_terminate_backend(%s, 10000)", [pid])
        assert cursor.fetchone() == (True,)


@on_postgresql
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_a_connection_lost_between_requests_is_reopened(api, outsider, accept):
    client = api(AdminFactory(), raise_request_exception=False)
    ask = {"path": "/api/appointments/", "headers": {"Accept": accept}}
    assert client.get(**ask).status_code == 200
    before = connection.connection

    terminate_our_backend(outsider)
    close_old_connections()  # done by the server between requests, but not by the test client

    assert client.get(**ask).status_code == 200
    assert connection.connection is not before
    assert connection.settings_dict["CONN_MAX_AGE"] is None


@on_postgresql
def test_a_connection_in_a_failed_transaction_is_not_usable(outsider):
    connection.ensure_connection()
    assert connection.is_usable()  # and is not checked again

    with transaction.atomic():
        with pytest.raises(DataError), connection.cursor() as cursor:
            cursor.execute("SELECT 1 / 0")
        assert not connection.is_usable()
        transaction.set_rollback(True)

    assert connection.is_usable()


@on_postgresql
def test_a_lost_connection_is_not_usable(outsider):
    connection.ensure_connection()
    assert connection.is_usable()
    terminate_our_backend(outsider)
    assert not connection.is_usable()
    assert not connection.is_usable()  # also after the loss has been noticed


@on_postgresql
@pytest.mark.parametrize("statement", ["first", "last"])
def test_a_booking_that_loses_the_connection_is_503_and_a_retry_succeeds(api, outsider, statement):
    slot = TimeSlotFactory()
    client = api(PatientFactory(), raise_request_exception=False)
    body = {"time_slot": slot.pk, "reason_for_visit": "A cough"}

    def kill(execute, sql, params, many, context):
        if statement == "first" or sql.startswith('INSERT INTO "appointments_appointmenthistory"'):
            terminate_our_backend(outsider)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(kill):
        lost = client.post("/api/appointments/", body)
    close_old_connections()

    assert is_unavailable(lost)
    assert Appointment.objects.count() == AppointmentHistory.objects.count() == 0
    assert client.post("/api/appointments/", body).status_code == 201


@on_postgresql
def test_a_lock_timeout_answers_503_and_a_retry_succeeds(api, outsider, caplog):
    slot = TimeSlotFactory()
    client = api(PatientFactory())
    body = {"time_slot": slot.pk, "reason_for_visit": "A cough"}
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 50")

    outsider.set_autocommit(False)
    with outsider.cursor() as cursor:
        cursor.execute("SELECT 1 FROM appointments_timeslot WHERE id = %s FOR UPDATE", [slot.pk])
    waited = client.post("/api/appointments/", body)
    outsider.rollback()

    assert is_unavailable(waited)
    assert "55P03" in caplog.text
    assert client.post("/api/appointments/", body).status_code == 201


@on_postgresql
@pytest.mark.parametrize(
    "sqlstate",
    [
        pytest.param("55P03", id="a lock timeout"),
        pytest.param("40P01", id="a deadlock"),
        pytest.param("40001", id="a serialization failure"),
        pytest.param("57014", id="a statement timeout"),
        pytest.param("57P01", id="a server shutdown"),
        pytest.param("53100", id="a full disk"),
        pytest.param("25006", id="a read-only server"),
        pytest.param("25P03", id="an idle timeout"),
    ],
)
@pytest.mark.django_db
def test_temporary_database_errors_are_503(sqlstate):
    raising = f"DO $$ BEGIN RAISE EXCEPTION 'row 10.0.0.7' USING ERRCODE = '{sqlstate}'; END $$"

    with pytest.raises((OperationalError, InternalError)) as raised, transaction.atomic():
        connection.cursor().execute(raising)

    problem = exceptions.problem_from(raised.value)
    assert (problem.code, problem.headers) == ("unavailable", {"Retry-After": "5"})
    assert "10.0.0.7" not in str(problem.body)


@on_postgresql
@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("statement_timeout", "15s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "30s"),
    ],
)
@pytest.mark.django_db
def test_database_timeouts_are_set(limit, value):
    with connection.cursor() as cursor:
        cursor.execute(f"SHOW {limit}")

        assert cursor.fetchone() == (value,)


@on_postgresql
@pytest.mark.django_db
def test_jit_compilation_is_off():
    with connection.cursor() as cursor:
        cursor.execute("SHOW jit")

        assert cursor.fetchone() == ("off",)
