"""Text written by users appears in no log line, unrelated error, cache key or admin log entry.

The tests put markers into every text of the clinic, call every endpoint and cause every kind of
failure while everything is logged that can be logged.
"""

import io
import json
import logging
import warnings

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.cache import cache
from django.db import DataError, IntegrityError, OperationalError, connection
from django.db.models.signals import pre_save
from django.test import Client
from django.utils.log import AdminEmailHandler
from rest_framework.throttling import SimpleRateThrottle

from accounts.models import AuditEvent, User
from accounts.tests.helpers import sent_mail
from appointments.models import Appointment
from config.http.log_formatter import JSONFormatter
from config.tests.admin_forms import submit
from config.tests.leak_markers import KEPT, SENT, Bodies, found_in, plant, walk, without_marker
from config.tests.personas import build_clinic

pytestmark = pytest.mark.django_db

HEADERS_WITH_TEXT = {
    "HTTP_USER_AGENT": f"{SENT} agent",
    "HTTP_REFERER": f"https://example.com/{SENT}",
    "HTTP_X_FORWARDED_FOR": SENT,
}


@pytest.fixture
def log(monkeypatch):
    """Everything logged from DEBUG on, by the handler and formatter of production."""
    handler = next(
        one for one in logging.getLogger().handlers if isinstance(one.formatter, JSONFormatter)
    )
    log = io.StringIO()
    monkeypatch.setattr(handler, "stream", log)
    for name in ("", "django", "django.request", "django.server"):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
    # Without the template loggers, whose thousands of lines about missing variables are slow.
    monkeypatch.setattr(logging.getLogger("django.template"), "level", logging.INFO)
    logging.getLogger().manager._clear_cache()
    yield log
    monkeypatch.undo()
    logging.getLogger().manager._clear_cache()


@pytest.fixture
def unthrottled(monkeypatch):
    rates = dict.fromkeys(("user", "login", "register", "register_network"), "1000000/min")
    monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)


@pytest.fixture(scope="module")
def bodies():
    return Bodies()


def lines(log):
    return [json.loads(line) for line in log.getvalue().splitlines()]


def audit_text():
    """Returns the whole audit log as text."""
    events = list(AuditEvent.objects.values_list())
    assert events
    return repr(events)


def test_no_api_endpoint_logs_user_text(api, bodies, log, unthrottled, capfd):
    planted = plant(api, bodies)
    assert without_marker(KEPT) == []
    clinic = build_clinic()
    clinic.house, clinic.jane = planted.house, planted.jane
    clinic.appointment = Appointment.objects.get(patient=planted.jane, consultation__isnull=False)
    clinic.consultation = clinic.appointment.consultation
    answers, keys = [], set()

    # First users who cannot see Jane's record, then those who change it.
    for name in ("", "paul", "grey", "ada", "house", "jane"):
        person = getattr(clinic, name) if name else None
        client = api(person, raise_request_exception=False, **HEADERS_WITH_TEXT)
        for answer in walk(client, name, clinic, bodies):
            told = found_in(answer.content.decode(), own=SENT)
            if answer.status_code >= 400 and name in ("", "paul", "grey"):
                assert told == [], (name, answer.request)
            answers.append(answer)
        keys |= set(map(str, cache._cache)) | {str(cache.get(key)) for key in cache._cache}
    sent_mail()
    spoken = capfd.readouterr()

    assert found_in(log.getvalue()) == []
    assert found_in(spoken.out + spoken.err) == []
    assert keys
    assert found_in("\n".join(keys)) == []
    assert found_in(audit_text()) == []
    assert {200, 201, 400, 401, 403, 404, 406, 409, 412, 415, 422} <= {
        answer.status_code for answer in answers
    }
    walked = [line for line in lines(log) if line["logger"] == "config.requests"]
    assert len(walked) >= len(answers)
    assert {line["user_id"] for line in walked} >= {None, clinic.jane.pk, clinic.house.pk}


def failing_receiver(kind):
    """Returns a receiver that fails as a database driver does: a row in the message, and a
    cause.
    """

    def receiver(sender, instance, **kwargs):
        quoted = f"Failing row contains ({vars(instance)}, {SENT})"
        raise kind(quoted) from LookupError(quoted)

    return receiver


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (RuntimeError, 500),
        (KeyError, 500),
        (UnicodeError, 500),
        (IntegrityError, 500),
        (DataError, 400),
        (OperationalError, 503),
    ],
)
def test_a_server_error_logs_no_user_text(api, bodies, log, kind, status, capfd):
    clinic = build_clinic()
    ada = api(clinic.ada, raise_request_exception=False)
    booking = bodies(SENT, "POST", "/api/appointments/", time_slot=clinic.free.pk)
    breaks = failing_receiver(kind)
    pre_save.connect(breaks)

    answers = [
        ada.post("/api/appointments/", booking | {"patient": clinic.jane.pk}),
        ada.post("/api/patients/", bodies(SENT, "POST", "/api/patients/")),
    ]
    pre_save.disconnect(breaks)

    assert [answer.status_code for answer in answers] == [status] * 2
    assert found_in("".join(answer.content.decode() for answer in answers)) == []
    assert found_in(log.getvalue() + "".join(capfd.readouterr())) == []
    if status == 500:
        errors = next(line["errors"] for line in lines(log) if "errors" in line)
        assert [one["type"] for one in errors][-1].endswith(kind.__name__)
        assert any("receiver" in place for place in errors[-1]["trace"])


ADMIN = "/admin/{}/{}/"


def admin_pages():
    return [
        ADMIN.format(model._meta.app_label, model._meta.model_name)
        for model in apps.get_models()
        if admin.site.is_registered(model)
    ]


def test_the_admin_logs_no_user_text(api, bodies, log, unthrottled, capfd):
    planted = plant(api, bodies)
    browser = Client(raise_request_exception=False, **HEADERS_WITH_TEXT)
    browser.cookies["theme"] = SENT
    browser.force_login(User.objects.get(username="desk"))
    appointment = Appointment.objects.get(consultation__isnull=False)
    room = appointment.consultation
    records = {
        "/admin/patients/patient/": (planted.jane, "allergies"),
        "/admin/accounts/doctor/": (planted.house, "specialization"),
        "/admin/appointments/appointment/": (appointment, "doctor_notes"),
        "/admin/consultations/consultation/": (room, "diagnosis"),
    }
    statuses = []

    for page in admin_pages():
        queries = ("", f"?q={KEPT}", f"?{SENT}__x={SENT}", f"{SENT}/", f"?e={SENT}")
        statuses += [browser.get(f"{page}{query}").status_code for query in queries]
        statuses += [browser.post(f"{page}add/", {"first_name": SENT}).status_code]
    for page, (record, field) in records.items():
        address = f"{page}{record.pk}/change/"
        saved = submit(browser, address, **{field: f"{SENT} and more", "_continue": "1"})
        statuses += [saved.status_code, browser.get(f"{page}{record.pk}/history/").status_code]
        record.refresh_from_db()
        assert getattr(record, field) == f"{SENT} and more", page
    breaks = failing_receiver(RuntimeError)
    pre_save.connect(breaks, sender=Appointment)
    page = f"/admin/appointments/appointment/{appointment.pk}"
    broken = browser.post(f"{page}/cancel/", {"reason": SENT})
    pre_save.disconnect(breaks, sender=Appointment)
    browser.post(f"{page}/cancel/", {"reason": SENT})
    stranger = Client(raise_request_exception=False, **HEADERS_WITH_TEXT)
    stranger.post("/admin/login/", {"username": SENT, "password": SENT})
    stranger.get(f"/admin/{SENT}/?next={SENT}")

    assert {200, 302} <= set(statuses)
    assert broken.status_code == 500
    assert found_in(broken.content.decode()) == []
    assert found_in(log.getvalue() + "".join(capfd.readouterr())) == []
    entries = LogEntry.objects.values_list("object_repr", "change_message")
    assert len(entries) == len(records)
    assert found_in(str(list(entries))) == []
    assert {name for name, _ in entries} == {
        f"patient {planted.jane.pk}",
        f"doctor {planted.house.pk}",
        f"appointment {appointment.pk}",
        f"consultation {room.pk}",
    }


def test_the_detector_finds_logged_text(log):
    logging.getLogger("accounts.services").warning("Registered %s", KEPT)
    logging.getLogger("config.checks").warning("Call +49 7077 8899 1")

    assert len(found_in(log.getvalue())) == 2


def test_log_lines_of_other_libraries_keep_template_and_numbers_only(log):
    stranger = logging.getLogger("django.elsewhere")
    jane = User(pk=7, username=SENT)
    stranger.warning("Not Found: %s (%d)", f"/{SENT}", 404)
    stranger.warning("Error calling %(who)s (%(error)s)", {"who": jane, "error": ValueError(SENT)})
    stranger.error(f"Invalid HTTP_HOST header: {SENT}")
    stranger.warning("A thing: %s", {SENT: SENT})

    assert [line["message"] for line in lines(log)][:2] == [
        "Not Found: ... (404)",
        "Error calling User (ValueError)",
    ]
    assert found_in(log.getvalue()) == []


def test_own_log_lines_name_records_and_errors_by_type(log):
    logging.getLogger("accounts.services").warning(
        "%s of %s: %s", "invitation", User(pk=7, username=SENT), ValueError(SENT)
    )

    assert [line["message"] for line in lines(log)] == ["invitation of User: ValueError"]


def test_a_warning_is_logged_by_location_and_category(log):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        text = warnings.formatwarning(f"naive date of {SENT}", RuntimeWarning, "a.py", 7, SENT)
        logging.getLogger("py.warnings").warning("%s", text)

    assert [line["message"] for line in lines(log)] == ["a.py:7: RuntimeWarning"]


def test_sql_statements_are_never_logged(log, settings):
    settings.DEBUG = True
    connection.force_debug_cursor = True

    User.objects.filter(username=SENT).exists()
    connection.force_debug_cursor = False

    assert log.getvalue() == ""


def test_no_error_is_mailed_with_request_and_local_variables():
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]

    assert [
        (one.name, handler)
        for one in loggers
        for handler in one.handlers
        if isinstance(handler, AdminEmailHandler)
    ] == []
