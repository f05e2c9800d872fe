"""Access log lines and the log formatter: one line for each entry."""

import io
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from enum import Enum

import pytest
from django.conf import settings as real_settings
from django.test import Client

from config.http.access_log import route_template
from config.http.log_formatter import JSONFormatter
from config.tests.leak_markers import SENT, found_in
from config.tests.personas import build_clinic

BASE_DIR = real_settings.BASE_DIR


@pytest.fixture
def access():
    """The formatted access log lines."""
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(JSONFormatter(ours=["config"]))
    logger = logging.getLogger("config.requests")
    logger.addHandler(handler)
    yield lambda: [json.loads(line) for line in handler.stream.getvalue().splitlines()]
    logger.removeHandler(handler)


@pytest.mark.parametrize(
    ("route", "readable"),
    [
        ("api/^appointments/(?P<pk>[0-9]+)/cancel/$", "/api/appointments/{pk}/cancel/"),
        (r"^media/(?P<path>avatars/[A-Za-z0-9_-]+\.webp)$", "/media/{path}"),
        (r"^x/(?P<a>(\d+)|(\w+))/\Z", "/x/{a}/"),
        (
            "admin/accounts/user/<path:object_id>/change/",
            "/admin/accounts/user/{object_id}/change/",
        ),
        ("^api(/|$)", "/api"),
        ("", "/"),
    ],
)
def test_a_path_is_logged_as_its_route(route, readable):
    assert route_template(route) == readable


@pytest.mark.django_db
def test_a_line_contains_user_request_and_status(api, access):
    clinic = build_clinic()

    answer = api(clinic.jane).get(f"/api/appointments/{clinic.appointment.pk}/")

    (line,) = access()
    assert line.pop("time")[-6:] == "+00:00"
    assert line.pop("ms") >= 0
    assert answer.status_code == 200
    assert line == {
        "level": "INFO",
        "logger": "config.requests",
        "message": "GET /api/appointments/{pk}/ 200",
        "user_id": clinic.jane.pk,
        "method": "GET",
        "route": "/api/appointments/{pk}/",
        "status": 200,
    }


@pytest.mark.django_db
def test_the_user_is_logged_by_id_for_token_and_cookie_logins(api, access):
    clinic = build_clinic()
    browser = Client()
    browser.force_login(clinic.ada)

    api(clinic.jane).get("/api/upcoming/")  # by token
    browser.get("/api/upcoming/")  # by cookie, to the API
    browser.get("/admin/accounts/user/")  # and to the admin
    api().get("/api/upcoming/")
    api().get("/api/upcoming/", HTTP_AUTHORIZATION="Bearer nonsense")
    api().get("/api/doctors/", HTTP_COOKIE="sessionid=nonsense")
    browser.get("/static/favicon.svg").close()  # anonymous

    jane, ada = clinic.jane.pk, clinic.ada.pk
    assert [line["user_id"] for line in access()] == [jane, ada, ada, None, None, None, None]


@pytest.mark.django_db
def test_access_logging_costs_no_query(access, django_assert_num_queries):
    browser = Client()
    browser.force_login(build_clinic().ada)

    with django_assert_num_queries(0):
        browser.get("/healthz")

    assert [line["user_id"] for line in access()] == [None]


@pytest.mark.django_db
def test_a_server_error_is_logged_as_an_error_and_an_unknown_method_as_other(
    api, access, monkeypatch
):
    monkeypatch.setattr("appointments.viewsets.UpcomingViewSet.pagination_class", "broken")
    client = api(build_clinic().jane, raise_request_exception=False)

    client.get("/api/upcoming/")
    client.generic(SENT.upper(), "/api/doctors/")

    assert [(line["level"], line["method"], line["status"]) for line in access()] == [
        ("ERROR", "GET", 500),
        ("INFO", "other", 405),
    ]


@pytest.mark.django_db
def test_line_breaks_in_a_request_do_not_break_the_line(api, access):
    nasty = f'{SENT}\r\n{{"level": "CRITICAL"}}\x1b[31m\u2028\x00'

    api().post("/api/auth/login/", {"username": nasty, "password": nasty}, HTTP_USER_AGENT=nasty,
               HTTP_X_FORWARDED_FOR=nasty, HTTP_X_REQUEST_ID=nasty)  # fmt: skip
    api().get(f"/api/{SENT}%0d%0a%1b%5b31m/?a={SENT}%0a")

    assert [line["status"] for line in access()] == [400, 404]
    assert found_in(json.dumps(access())) == []


def test_control_characters_are_escaped():
    record = logging.makeLogRecord({"name": "config.x", "msg": "a\r\nb\x1b[31m\u2028c"})

    line = JSONFormatter(ours=["config"]).format(record)

    assert line.isprintable()
    assert json.loads(line)["message"] == "a\r\nb\x1b[31m\u2028c"


class Diagnosis(Enum):
    FLU = "Jane Doe has the flu"


@dataclass
class Person:
    name: str = "Jane Doe"


@pytest.mark.parametrize("said", [Diagnosis.FLU, Person(), date(2026, 7, 1), ["Jane"]])
def test_objects_are_logged_by_their_type(said):
    record = logging.makeLogRecord({"name": "other", "msg": "%s", "args": (said,), "status": said})

    line = json.loads(JSONFormatter().format(record))

    assert line["message"] == line["status"] == type(said).__name__


@pytest.mark.parametrize("said", ["Zürich", "\x7f", "half a \ud83d", 2**64, 0.5, None])
def test_every_value_is_logged_as_one_line(said):
    asked = {"name": "config.x", "levelname": "INFO", "msg": "%s", "args": (said,), "ms": said}
    record = logging.makeLogRecord(asked)

    line = JSONFormatter(ours=["config"]).format(record)

    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line) | {"time": ""} == {
        "time": "", "level": "INFO", "logger": "config.x", "message": str(said), "ms": said,
    }  # fmt: skip


INVALID_REQUESTS = [
    f"GET /api/doctors/?search={SENT} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    f"GET /{SENT} \x1b[31m HTTP/9.9\r\nHost: localhost\r\n\r\n",
    f"GET /{SENT} HTTP/1.1\r\nHost: localhost\r\n{SENT} x: {SENT}\r\n\r\n",
    f"{SENT}@ / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    f"GET / HTTP/1.1\r\nHost: {SENT}.example\r\nConnection: close\r\n\r\n",
    f"GET /{SENT}{'x' * 9000} HTTP/1.1\r\nHost: localhost\r\n\r\n",
    f"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {SENT}\r\n\r\n",
]


def test_gunicorn_logs_no_more_than_the_application(tmp_path):
    """Runs gunicorn as in production, with its own access log enabled."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--access-logfile", "-"],
            cwd=BASE_DIR,
            env={
                "PATH": os.environ["PATH"],
                "ENV_FILE": os.devnull,
                "SECRET_KEY": "kq2P-w0zX8vLr5Tn_9hJdYb3mGfRc7AsEu1oViN6xQtBlZpHyC4",
                "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
                "BIND": f"127.0.0.1:{port}",
            },
            stdout=out,
            stderr=out,
        )
        try:
            for request in INVALID_REQUESTS:
                tell(port, request)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(timeout=30)

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert found_in(log.read_text()) == []
    assert [line["status"] for line in lines if line["logger"] == "config.requests"] == [401, 400]
    assert len([line for line in lines if line["level"] == "WARNING"]) >= 4
    assert {line["logger"] for line in lines} >= {"gunicorn.error", "config.requests"}


def tell(port, request):
    """Sends the request, retrying until the server is up, and reads the response."""
    for _ in range(300):
        try:
            connection = socket.create_connection(("127.0.0.1", port), timeout=30)
            break
        except ConnectionRefusedError:
            time.sleep(0.1)
    with connection:
        connection.sendall(request.encode("latin-1"))
        while connection.recv(4096):
            pass
