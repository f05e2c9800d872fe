"""What was read or booked is gone with its answer: no view or record waits for the collector."""

import gc
from contextlib import contextmanager

import pytest
from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from rest_framework.fields import Field
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from accounts.models import AuditEvent
from accounts.sessions import open_session
from appointments.viewsets import AppointmentViewSet
from config.api import viewsets
from config.tests.served import application, connection_kept

HELD = (APIView, Request, HttpRequest, HttpResponse, Field, Model)
READS = [
    ("jane", "/api/appointments/"),
    ("house", "/api/appointments/?cursor="),
    ("ada", "/api/appointments/?status=scheduled&page_size=1"),
    ("house", "/api/appointments/{appointment.pk}/"),
    ("jane", "/api/appointments/{appointment.pk}/history/"),
    ("house", "/api/today/"),
    ("jane", "/api/upcoming/"),
    ("jane", "/api/time-slots/?doctor={house.pk}"),
    ("house", "/api/patients/"),
    ("jane", "/api/patients/{jane.pk}/access-log/"),
    ("house", "/api/consultations/{consultation.pk}/notes/"),
]


@pytest.fixture
def ask():
    """Asks as a server does; gives the status, and keeps nothing else of the answer."""
    served, requests = application(), APIRequestFactory()

    def status_of(user, method, address, body=None, **headers):
        headers["authorization"] = f"Bearer {open_session(user)['access']}"
        environ = getattr(requests, method)(address, body, headers=headers).environ
        statuses = []
        with connection_kept():
            answer = served(environ, lambda status, headers, *_: statuses.append(status))
            b"".join(answer)
            answer.close()
        return int(statuses[0][:3])

    return status_of


@contextmanager
def left_behind():
    """The names of the types of what, afterwards, only the garbage collector could free."""
    names = set()
    gc.collect()
    gc.freeze()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield names
        gc.collect()
        names |= {type(one).__name__ for one in gc.garbage if isinstance(one, HELD)}
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()


@pytest.mark.parametrize(("who", "address"), READS)
def test_what_was_read_is_gone_with_its_answer(clinic, ask, who, address):
    address, reader = address.format(**vars(clinic)), getattr(clinic, who)
    ask(reader, "get", address)  # once, for what is kept on purpose

    with left_behind() as names:
        assert ask(reader, "get", address) == 200

    assert names == set()


def test_so_is_what_a_page_in_a_browser_showed_but_for_its_forms(clinic, ask):
    ask(clinic.jane, "get", "/api/appointments/", accept="text/html")

    with left_behind() as names:
        assert ask(clinic.jane, "get", "/api/appointments/", accept="text/html") == 200

    assert not names & {"AppointmentViewSet", "WSGIRequest", "Response", "Appointment", "Patient"}


def test_so_is_what_a_booking_was_made_with_also_where_it_is_answered_again(clinic, ask):
    body = {"time_slot": clinic.free.pk, "reason_for_visit": "A cough"}
    for _ in range(2):
        with left_behind() as names:
            assert ask(clinic.jane, "post", "/api/appointments/", body, idempotency_key="a") == 201
        assert names == set()


def test_a_message_for_the_next_page_is_not_lost(clinic, client):
    client.force_login(clinic.ada)
    request = client.get("/api/appointments/").wsgi_request
    assert not hasattr(request, "_messages")

    def answer(view, request):
        messages.success(request, "Kept for the desk.")
        return Response({})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AppointmentViewSet, "list", answer)
        client.get("/api/appointments/")

    assert "Kept for the desk." in client.get("/admin/").content.decode()


def test_an_answer_that_was_written_beforehand_is_finished_all_the_same(clinic, api, monkeypatch):
    listed = AppointmentViewSet.list

    def written(view, request):
        response = listed(view, request)
        response.content = b"{}"
        return response

    monkeypatch.setattr(AppointmentViewSet, "list", written)
    shown = AuditEvent.objects.filter(event="appointment.list")
    before = shown.count()

    assert api(clinic.jane).get("/api/appointments/").content == b"{}"
    assert shown.count() == before + 1


def test_a_view_that_lets_nothing_go_is_left_behind_with_all_it_read(clinic, ask, monkeypatch):
    monkeypatch.setattr(viewsets, "let_go", lambda view, response: None)

    with left_behind() as names:
        assert ask(clinic.jane, "get", "/api/appointments/") == 200

    assert {"AppointmentViewSet", "Request", "WSGIRequest", "Appointment", "Doctor"} <= names
