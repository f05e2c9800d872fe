import logging
import socket
from smtplib import SMTPDataError

import pytest
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction

from accounts import services
from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.helpers import data, sent_mail

pytestmark = pytest.mark.django_db

RESET = "/api/auth/password/reset/"


class RefusingServer(BaseEmailBackend):
    """A mail server that refuses every message."""

    def send_messages(self, messages):
        raise SMTPDataError(554, b"No, thank you")


def closed_port(settings):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        settings.EMAIL_PORT = free.getsockname()[1]
    settings.EMAIL_HOST = "127.0.0.1"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


def unknown_host(settings):
    settings.EMAIL_HOST = "mail.invalid"
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"


def refusing_server(settings):
    settings.EMAIL_BACKEND = f"{__name__}.RefusingServer"


@pytest.mark.parametrize("trouble", [closed_port, unknown_host, refusing_server])
def test_a_mail_failure_is_logged_and_does_not_change_the_response(
    api, settings, caplog, django_capture_on_commit_callbacks, trouble
):
    UserFactory(email="jane@example.com")
    alive = api().post(RESET, {"email": "jane@example.com"})
    trouble(settings)

    with django_capture_on_commit_callbacks(execute=True):
        dead = api().post(RESET, {"email": "jane@example.com"})
    sent = sent_mail()

    assert (dead.status_code, dead.content) == (alive.status_code, alive.content)
    assert sent == []
    logged = [r for r in caplog.records if r.name == "accounts.mail"]
    assert [(r.levelno, r.message) for r in logged] == [
        (logging.ERROR, "An e-mail could not be sent")
    ]


def test_the_log_contains_neither_the_email_address_nor_the_link(
    api, settings, caplog, django_capture_on_commit_callbacks
):
    UserFactory(email="jane@example.com")
    refusing_server(settings)

    with django_capture_on_commit_callbacks(execute=True):
        api().post(RESET, {"email": "jane@example.com"})
    sent_mail()

    assert "An e-mail could not be sent" in caplog.text
    assert "jane@example.com" not in caplog.text
    assert "token=" not in caplog.text


def test_mail_is_sent_after_an_earlier_failure(api, settings, django_capture_on_commit_callbacks):
    UserFactory(email="jane@example.com")
    backend = settings.EMAIL_BACKEND
    refusing_server(settings)
    with django_capture_on_commit_callbacks(execute=True):
        api().post(RESET, {"email": "jane@example.com"})
    sent_mail()
    settings.EMAIL_BACKEND = backend

    with django_capture_on_commit_callbacks(execute=True):
        api().post(RESET, {"email": "jane@example.com"})

    assert [message.to for message in sent_mail()] == [["jane@example.com"]]


def test_mail_is_sent_after_commit(django_capture_on_commit_callbacks):
    jane = UserFactory(email="jane@example.com")

    with django_capture_on_commit_callbacks() as callbacks:
        services.invite(jane)
    before = list(sent_mail())
    for callback in callbacks:
        callback()

    assert before == []
    assert [message.to for message in sent_mail()] == [["jane@example.com"]]


@pytest.mark.django_db(transaction=True)
def test_no_mail_is_sent_after_a_rollback():
    def create_account(name, *, fail):
        with transaction.atomic():
            services.invite(
                services.register(
                    username=name,
                    email=f"{name}@example.com",
                    first_name=name.title(),
                    last_name="Doe",
                )
            )
            if fail:
                raise LookupError

    with pytest.raises(LookupError):
        create_account("jane", fail=True)
    create_account("paul", fail=False)

    assert [message.to for message in sent_mail()] == [["paul@example.com"]]
    assert list(User.objects.values_list("username", flat=True)) == ["paul"]


def test_an_invitation_link_sets_a_password(api, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        jane = services.register(
            username="jane", email="jane@example.com", first_name="Jane", last_name="Doe"
        )
        services.invite(jane)

    (message,) = sent_mail()
    address = next(word for word in message.body.split() if word.startswith("http"))
    uid, token = (part.split("=")[1] for part in address.split("?")[1].split("&"))
    body = {"uid": uid, "token": token, "new_password": PASSWORD}
    assert message.subject == "Your account at the clinic"
    data(api().post("/api/auth/password/reset/confirm/", body))
    signed_in = api().post("/api/auth/login/", {"username": "jane", "password": PASSWORD})
    assert signed_in.status_code == 200


def test_a_name_cannot_inject_mail_headers(django_capture_on_commit_callbacks):
    jane = UserFactory(
        email="jane@example.com", first_name="Jane\nBcc: all@example.com", last_name="Doe"
    )

    with django_capture_on_commit_callbacks(execute=True):
        services.invite(jane)

    (message,) = sent_mail()
    assert message.recipients() == ["jane@example.com"]
    assert message.message()["Bcc"] is None
