"""A row inserted by a statement made once is the row that Django would have saved."""

import pytest
from django.db import DataError, IntegrityError, connection
from django.forms import model_to_dict
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import Action, AuditEvent
from appointments.models import AppointmentHistory
from config.api.inserts import insert
from config.tests.people import a_clinic


@pytest.fixture
def clinic(db):
    return a_clinic()


def event(clinic, **changes):
    fields = {
        "at": timezone.now(),
        "actor": clinic.jane.pk,
        "role": "patient",
        "action": Action.CREATE,
        "event": "appointment.book",
        "records": ["appointment/1"],
        "patients": [clinic.jane.pk],
        "changed": [],
        "address": "2001:db8::1",
    }
    return AuditEvent(**fields | changes)


def entry(clinic, **changes):
    fields = {
        "appointment": clinic.appointment,
        "action": "updated",
        "to_status": "scheduled",
        "to_starts_at": clinic.appointment.starts_at,
        "changes": ["symptoms"],
        "reason": "100 % of 'em",
        "changed_by": clinic.jane,
        "created_at": timezone.now(),
    }
    return AppointmentHistory(**fields | changes)


def written(write):
    with CaptureQueriesContext(
        connection,
    ) as statements:
        write()
    return [statement["sql"] for statement in statements]


@pytest.mark.parametrize("row", [event, entry])
def test_the_statement_is_djangos_own(clinic, row):
    now = timezone.now()
    stamp = {"at" if row is event else "created_at": now}
    one, other = row(clinic, **stamp), row(clinic, **stamp)

    saved, inserted = written(lambda: one.save(force_insert=True)), written(lambda: insert(other))

    assert inserted == saved
    assert len(inserted) == 1


@pytest.mark.parametrize("row", [event, entry])
def test_the_row_knows_itself_and_comes_back_whole(clinic, row):
    new = row(clinic)

    insert(new)
    there = type(new).objects.get(pk=new.pk)

    assert model_to_dict(there) == model_to_dict(new)
    assert (new._state.adding, new._state.db) == (False, "default")


def test_what_the_database_refuses_is_refused(clinic):
    with pytest.raises((IntegrityError, DataError)):
        insert(entry(clinic, action=None))
