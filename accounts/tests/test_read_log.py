"""The AUDIT_READS modes: how read events are written, and what happens if writing fails."""

import json
import logging
import threading

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from accounts.audit import read_log
from accounts.models import AuditEvent
from accounts.tests.helpers import data
from appointments.tests.helpers import status_and_code
from patients.tests.factories import PatientFactory

LIST = "/api/appointments/"


def reads():
    return AuditEvent.objects.filter(action="R").count()


@pytest.fixture
def buffered(settings):
    settings.AUDIT_READS = "buffered"
    yield
    read_log.flush()


def test_sync_writes_each_read_immediately(api, jane):
    data(api(jane).get(LIST))

    assert reads() == 1


def test_off_writes_changes_but_no_reads(api, jane, settings):
    settings.AUDIT_READS = "off"
    client = api(jane)

    data(client.get(LIST))
    data(client.patch("/api/auth/profile/", {"phone": "030 1234"}))

    assert reads() == 0
    assert AuditEvent.objects.filter(event="account.update").count() == 1


def test_off_still_writes_denials(api, jane, settings):
    settings.AUDIT_READS = "off"

    api(jane).get("/api/patients/")

    assert AuditEvent.objects.filter(outcome="refused").count() == 1


def test_buffered_writes_reads_when_the_buffer_is_full(api, jane, buffered, monkeypatch):
    monkeypatch.setattr(read_log, "BUFFER_SIZE", 3)
    monkeypatch.setattr(read_log, "MAX_DELAY", 3600)
    client = api(jane)

    for written in (0, 0, 3, 3):
        data(client.get(LIST))
        assert reads() == written


@pytest.mark.django_db(transaction=True)
def test_buffered_writes_reads_after_a_short_delay(api, buffered, monkeypatch):
    monkeypatch.setattr(read_log, "MAX_DELAY", 0.05)
    data(api(PatientFactory()).get(LIST))

    for thread in threading.enumerate():
        if getattr(thread, "interval", None) == read_log.MAX_DELAY:
            thread.join(10)  # a query meanwhile would lock the in-memory table

    assert reads() == 1


def fail_writes(word, monkeypatch):
    """Makes writing an event fail with this error code of the database."""

    class DriverError(Exception):
        pgcode = word if connection.vendor == "postgresql" else None
        sqlite_errorname = word

    def save(self, **kwargs):
        raise OperationalError("no") from DriverError()

    monkeypatch.setattr(AuditEvent, "save", save)
    monkeypatch.setattr(AuditEvent.objects.__class__, "bulk_create", save, raising=False)


FULL = "53100" if connection.vendor == "postgresql" else "SQLITE_FULL"


def test_a_full_disk_allows_reads_and_logs_the_events(api, jane, monkeypatch, caplog):
    client = api(jane)
    fail_writes(FULL, monkeypatch)

    data(client.get(LIST))

    said = [one for one in caplog.records if one.name == "accounts.audit.read_log"]
    assert [one.levelno for one in said] == [logging.ERROR]
    event = json.loads(said[0].getMessage().partition(": ")[2])
    assert (event["event"], event["actor"]) == ("appointment.list", jane.pk)


def test_a_full_disk_refuses_reads_if_read_events_are_required(api, jane, settings, monkeypatch):
    settings.AUDIT_READS_REQUIRED = True
    client = api(jane, raise_request_exception=False)
    fail_writes(FULL, monkeypatch)

    answer = client.get(LIST)

    assert status_and_code(answer) == (503, "unavailable")
    assert answer["Retry-After"]


def test_a_lost_database_returns_no_unaudited_data(api, jane, monkeypatch):
    client = api(jane, raise_request_exception=False)
    fail_writes("57P01" if connection.vendor == "postgresql" else "SQLITE_IOERR", monkeypatch)

    assert status_and_code(client.get(LIST)) == (503, "unavailable")


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite gathers reads instead")
@pytest.mark.django_db(transaction=True)
def test_reads_commit_asynchronously_and_changes_synchronously(api):
    """Checks `synchronous_commit` of each statement that writes an event on PostgreSQL."""
    client = api(PatientFactory())

    with CaptureQueriesContext(connection) as captured:
        data(client.get(LIST))
        data(client.patch("/api/auth/profile/", {"phone": "030 1234"}))
    told = [
        "synchronous_commit = off" in query["sql"]
        for query in captured
        if 'INSERT INTO "accounts_auditevent' in query["sql"]
    ]
    with connection.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        (afterwards,) = cursor.fetchone()

    assert told == [True, False]
    assert afterwards == "on"
    assert reads() == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no such state")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("required", "status"), [(False, 200), (True, 503)])
def test_a_read_only_server_allows_reads_unless_read_events_are_required(
    api, settings, required, status
):
    settings.AUDIT_READS_REQUIRED = required
    client = api(PatientFactory(), raise_request_exception=False)
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")

    try:
        answer = client.get(LIST)
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off")

    assert answer.status_code == status
