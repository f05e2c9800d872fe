"""Errors outside DRF's exception handler are returned in the envelope, also with DEBUG."""

import json
import logging

import pytest
from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpResponse
from django.test import RequestFactory
from rest_framework.response import Response
from rest_framework.test import APIClient

from appointments.models import Appointment
from config.http.error_middleware import ErrorEnvelopeMiddleware

A_PATH = "a path of ours"


@pytest.fixture(params=[False, True], ids=["", "DEBUG"])
def debug(request, settings):
    settings.DEBUG = request.param


def assert_server_error(answer, caplog):
    body = json.loads(answer.content)
    assert (answer.status_code, body["status"], body["code"]) == (500, "error", "server_error")
    assert body["request_id"] == answer["X-Request-ID"]
    assert A_PATH not in answer.content.decode()
    assert A_PATH in caplog.text


@pytest.fixture
def unrenderable(monkeypatch):
    """Returns a function that makes rendering fail at a given place."""

    def break_it(where):
        def render(self, *args, **kwargs):
            raise RuntimeError(A_PATH)

        monkeypatch.setattr(where, render)

    return break_it


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize(
    ("accept", "renderer"),
    [
        ("application/json", "config.api.renderers.FastJSONRenderer.render"),
        ("text/html", "rest_framework.renderers.BrowsableAPIRenderer.render"),
        ("text/html", "rest_framework.renderers.BrowsableAPIRenderer.get_context"),
    ],
)
@pytest.mark.parametrize("address", ["/api/appointments/", "/api/appointments/999/", "/api/"])
def test_a_rendering_error_is_500_in_the_envelope(
    clinic, unrenderable, caplog, accept, renderer, address
):
    browser = APIClient(raise_request_exception=False)
    browser.force_login(clinic.ada)
    unrenderable(renderer)

    answer = browser.get(address, headers={"Accept": accept})

    assert_server_error(answer, caplog)


@pytest.mark.usefixtures("debug")
def test_a_rendering_error_keeps_the_committed_change(api, clinic, unrenderable, caplog):
    """Only the response is lost; a retry with the idempotency key returns the booking."""
    client = api(clinic.jane, raise_request_exception=False)
    body = {"time_slot": clinic.free.pk, "reason_for_visit": "A cough"}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rest_framework.response.Response.rendered_content", property(_fail))
        lost = client.post("/api/appointments/", body, HTTP_IDEMPOTENCY_KEY="k")
    again = client.post("/api/appointments/", body, HTTP_IDEMPOTENCY_KEY="k")

    assert_server_error(lost, caplog)
    assert (again.status_code, again["Idempotency-Replayed"]) == (201, "true")
    assert Appointment.objects.filter(time_slot=clinic.free).count() == 1


def _fail(self):
    raise RuntimeError(A_PATH)


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_an_unpaired_surrogate_is_escaped_in_a_response(clinic, monkeypatch, accept):
    """Input cannot contain one, but text may be truncated in the middle of a pair."""
    monkeypatch.setattr("appointments.output.full_name_of", lambda *names: "\ud800 Doe")
    browser = APIClient()
    browser.force_login(clinic.ada)

    answer = browser.get(f"/api/doctors/{clinic.house.pk}/", headers={"Accept": accept})

    assert answer.status_code == 200
    assert rb"\ud800 Doe" in answer.content


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError(A_PATH), 500, "server_error"),
        (SuspiciousOperation(A_PATH), 400, "parse_error"),
        (BadRequest(A_PATH), 400, "parse_error"),
        (PermissionDenied(A_PATH), 403, "permission_denied"),
        (Http404(A_PATH), 404, "not_found"),
    ],
    ids=repr,
)
@pytest.mark.usefixtures("debug", "db")
def test_a_middleware_error_is_500_in_the_envelope(monkeypatch, error, status, code):
    def fail(self, request):
        raise error

    monkeypatch.setattr("django.middleware.common.CommonMiddleware.process_request", fail)
    client = APIClient(raise_request_exception=False)

    answer = client.get("/api/doctors/", headers={"Accept": "text/html"})

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert A_PATH not in answer.content.decode()


@pytest.mark.usefixtures("debug", "db")
def test_django_pages_outside_the_api_are_unchanged():
    answer = APIClient(raise_request_exception=False).get("/no-such-page/")

    assert answer.status_code == 404
    assert answer["Content-Type"].startswith("text/html")


def test_responses_without_errors_or_in_the_envelope_are_unchanged():
    for left_alone in [HttpResponse(status=302), HttpResponse("x"), Response({}, status=400)]:
        middleware = ErrorEnvelopeMiddleware(lambda request, answer=left_alone: answer)

        assert middleware(RequestFactory().get("/api/x/")) is left_alone


@pytest.mark.usefixtures("debug")
@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "options"])
def test_an_unknown_path_is_404_for_every_method(api, clinic, caplog, method):
    caplog.set_level(logging.ERROR)

    for address in ["/api/nothing/", "/api/%00/", "/api/%FF", "/api//", "/api/appointments"]:
        answer = getattr(api(clinic.ada), method)(address)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), address

    assert caplog.records == []
