"""Changelist pages of the admin: number of count queries, and the last page."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.models import AuditEvent
from appointments.tests.factories import make_appointment
from config.api import pagination

pytestmark = pytest.mark.django_db

APPOINTMENTS = reverse("admin:appointments_appointment_changelist")
EVENTS = reverse("admin:accounts_auditevent_changelist")


@pytest.fixture
def many():
    events = [AuditEvent(event=f"thing.done_{number}", action="U") for number in range(120)]
    AuditEvent.objects.bulk_create(events)


def count_queries(client, address):
    with CaptureQueriesContext(connection) as asked:
        answer = client.get(address)
    assert answer.status_code == 200
    return [one["sql"] for one in asked if "COUNT(" in one["sql"]]


def shown_events(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return [event.event for event in answer.context["cl"].result_list]


def test_a_list_is_counted_once(admin_client):
    assert len(count_queries(admin_client, APPOINTMENTS)) == 1


def test_audit_events_are_not_counted(admin_client, many):
    assert count_queries(admin_client, EVENTS) == []
    assert count_queries(admin_client, f"{EVENTS}?p=2") == []
    assert count_queries(admin_client, f"{EVENTS}?event__icontains=done_7") == []


def test_audit_events_are_paginated_without_a_count(admin_client, many):
    pages = [shown_events(admin_client, f"{EVENTS}?p={number}") for number in (1, 2, 3)]

    assert [len(page) for page in pages[:2]] == [50, 50]
    assert "thing.done_0" in pages[2]
    assert 'href="?p=2"' in admin_client.get(EVENTS).content.decode()


def test_audit_events_can_be_filtered_to_an_empty_list(admin_client, many):
    assert shown_events(admin_client, f"{EVENTS}?actor=999999") == []


def test_the_last_page_shows_the_last_rows(admin_client, clinic, monkeypatch):
    for _ in range(3):
        make_appointment("cancelled", doctor=clinic.house, patient=clinic.jane)
    every = [row.pk for row in admin_client.get(APPOINTMENTS).context["cl"].result_list]
    monkeypatch.setattr(pagination, "DEFERRED_JOIN_OFFSET", 1)
    monkeypatch.setattr("appointments.admin.AppointmentAdmin.list_per_page", 1)

    pages = [
        [row.pk for row in admin_client.get(f"{APPOINTMENTS}?p={number}").context["cl"].result_list]
        for number in range(1, 1 + len(every))
    ]

    assert pages == [[pk] for pk in every]
