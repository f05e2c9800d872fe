"""Letters are rows of the outbox: none is lost, and each is delivered once."""

import logging
import socket
from datetime import timedelta
from smtplib import SMTPDataError
from threading import Event, Thread

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from accounts import passwords, services
from accounts.messages import outbox
from accounts.models import MessageStatus, OutgoingMessage, User
from accounts.tests.factories import UserFactory
from accounts.tests.helpers import data, requires_postgresql, sent_mail
from config.worker import work_until

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


@pytest.fixture
def jane():
    return UserFactory(email="jane@example.com")


def letter():
    return OutgoingMessage.objects.get()


def make_due(**changes):
    """Lets time pass until the letters are due."""
    OutgoingMessage.objects.update(next_attempt_at=timezone.now(), **changes)


def test_a_letter_is_written_with_the_change_and_delivered_by_the_worker(jane):
    services.invite(jane)
    waiting = letter()

    call_command("work", "--once")

    assert (waiting.status, waiting.recipient) == (MessageStatus.WAITING, "jane@example.com")
    assert [message.to for message in mail.outbox] == [["jane@example.com"]]
    assert letter().status == MessageStatus.SENT
    assert outbox.deliver_next() is False


def test_the_row_contains_neither_link_nor_name(jane):
    services.invite(jane)
    sent_mail()

    row = OutgoingMessage.objects.values().get()

    assert "reset-password?uid=" in mail.outbox[0].body
    assert not any("reset-password" in str(value) for value in row.values())
    assert not any(jane.first_name in str(value) for value in row.values())


@pytest.mark.django_db(transaction=True)
def test_no_letter_remains_of_a_change_that_is_rolled_back():
    def create_account(name, *, fail):
        with transaction.atomic():
            email = f"{name}@example.com"
            names = {"first_name": name.title(), "last_name": "Doe"}
            services.invite(services.register(username=name, email=email, **names))
            if fail:
                raise LookupError

    with pytest.raises(LookupError):
        create_account("jane", fail=True)
    create_account("paul", fail=False)

    assert [message.to for message in sent_mail()] == [["paul@example.com"]]
    assert list(User.objects.values_list("username", flat=True)) == ["paul"]


@pytest.mark.django_db(transaction=True)
def test_a_web_process_delivers_after_the_commit(settings):
    settings.WEB_DELIVERS_LETTERS = True
    jane = UserFactory(email="jane@example.com")

    with transaction.atomic():
        services.invite(jane)
        before = len(mail.outbox)
    outbox._executor.submit(int).result()  # the thread has finished

    assert before == 0
    assert [message.to for message in mail.outbox] == [["jane@example.com"]]
    assert letter().status == MessageStatus.SENT


@pytest.mark.parametrize("trouble", [closed_port, unknown_host, refusing_server])
def test_a_letter_waits_for_a_mail_server_that_fails(api, settings, caplog, jane, trouble):
    backend = settings.EMAIL_BACKEND
    alive = api().post(RESET, {"email": "jane@example.com"})
    OutgoingMessage.objects.all().delete()
    trouble(settings)

    dead = api().post(RESET, {"email": "jane@example.com"})
    sent = list(sent_mail())

    assert (dead.status_code, dead.content) == (alive.status_code, alive.content)
    assert sent == []
    logged = [record for record in caplog.records if record.name == "accounts.messages.outbox"]
    assert [(record.levelno, record.message) for record in logged] == [
        (logging.ERROR, "A letter could not be delivered")
    ]
    assert (letter().status, letter().attempts) == (MessageStatus.WAITING, 1)
    assert letter().last_error

    settings.EMAIL_BACKEND = backend
    make_due()
    assert [message.to for message in sent_mail()] == [["jane@example.com"]]
    assert letter().last_error == ""


def test_the_pause_between_two_attempts_doubles_up_to_an_hour(settings, jane):
    refusing_server(settings)
    services.invite(jane)
    pauses = []

    for _ in range(9):
        make_due()
        outbox.deliver_next()
        pauses.append(round((letter().next_attempt_at - timezone.now()).total_seconds() / 60))

    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_a_letter_fails_for_good_a_day_after_it_was_due(settings, jane):
    refusing_server(settings)
    services.invite(jane)
    make_due(due_at=timezone.now() - timedelta(days=1))

    outbox.deliver_next()
    make_due()

    assert letter().status == MessageStatus.FAILED
    assert letter().last_error == "SMTPDataError: (554, b'No, thank you')"
    assert outbox.deliver_next() is False


def test_a_letter_that_cannot_be_made_does_not_stop_the_others(jane, caplog):
    outbox.send("a letter of another release", to="paul@example.com")
    services.invite(jane)

    assert [message.to for message in sent_mail()] == [["jane@example.com"]]
    assert "KeyError" in OutgoingMessage.objects.get(recipient="paul@example.com").last_error
    assert "paul@example.com" not in caplog.text


def test_staff_send_a_failed_letter_again(client, jane, ada):
    client.force_login(ada)
    services.invite(jane)
    OutgoingMessage.objects.update(status=MessageStatus.FAILED, attempts=9)
    outbox.send("invitation", to="jane@example.com", user=jane)
    page = "/admin/accounts/outgoingmessage/"
    every = list(OutgoingMessage.objects.values_list("pk", flat=True))

    answer = client.post(page, {"action": "send_again", "_selected_action": every}, follow=True)

    assert "Letters to send again: 1." in answer.content.decode()
    assert len(sent_mail()) == 2
    client.post(page, {"action": "send_again", "_selected_action": every})
    assert len(sent_mail()) == 2


@pytest.mark.django_db(transaction=True)
def test_a_letter_on_lease_is_not_taken_and_comes_back_after_the_lease(monkeypatch):
    jane = UserFactory(email="jane@example.com")
    services.invite(jane)
    taken = outbox._lease_next()  # by a process that is killed now

    assert outbox.deliver_next() is False
    assert letter().next_attempt_at > timezone.now() + outbox.LEASE - timedelta(minutes=1)

    make_due()
    assert len(sent_mail()) == 1
    outbox._end(taken, MessageStatus.FAILED)  # it was only slow: the second delivery counts
    assert letter().status == MessageStatus.SENT


@requires_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_worker_skips_a_letter_that_another_one_is_taking(outsider):
    jane = UserFactory(email="jane@example.com")
    services.invite(jane)
    services.invite(jane)
    first = OutgoingMessage.objects.earliest("pk")

    with outsider.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(
            "SELECT id FROM accounts_outgoingmessage WHERE id = %s FOR UPDATE", [first.pk]
        )
        taken = outbox._lease_next()
        cursor.execute("ROLLBACK")

    assert taken.pk != first.pk


@pytest.mark.django_db(transaction=True)
def test_the_worker_finishes_its_letter_and_stops(settings):
    services.invite(UserFactory(email="jane@example.com"))
    stop = Event()
    worker = Thread(target=lambda: (work_until(stop), connection.close()))

    worker.start()
    while worker.is_alive() and letter().status == MessageStatus.WAITING:
        stop.wait(0.05)
    stop.set()
    worker.join()

    assert len(mail.outbox) == 1


def test_the_letter_has_the_language_of_the_request(api):
    body = {"username": "jane", "email": "jane@example.com", "password": "an-even-better-battery"}
    body |= {"user_type": "patient", "first_name": "Jane", "last_name": "Doe"}

    data(api().post("/api/auth/register/", body, headers={"Accept-Language": "de"}), 201)

    assert letter().language == "de"


def test_the_number_of_requested_letters_to_an_address_is_limited(api, settings, jane):
    settings.LETTERS_PER_RECIPIENT = 2

    answers = [api().post(RESET, {"email": "JANE@example.com"}) for _ in range(4)]

    assert len({answer.content for answer in answers}) == 1
    assert len(sent_mail()) == 2
    services.invite(jane)  # a letter of the clinic is no request
    assert len(sent_mail()) == 3


def test_readyz_reports_letters_that_nobody_delivers(client, jane):
    services.invite(jane)
    fresh = client.get("/readyz")

    OutgoingMessage.objects.update(next_attempt_at=timezone.now() - timedelta(minutes=6))
    late = client.get("/readyz")

    assert (fresh.status_code, fresh.json()["checks"]["letters"]) == (200, "ok")
    assert (late.status_code, late.json()["checks"]["letters"]) == (503, "1 waiting")


def test_prune_deletes_letters_that_ended_long_ago(jane):
    ages = {MessageStatus.SENT: 31, MessageStatus.FAILED: 29, MessageStatus.CANCELLED: 2}
    for status, days in ages.items():
        OutgoingMessage.objects.create(
            recipient="jane@example.com",
            template="invitation",
            language="en",
            status=status,
            ended_at=timezone.now() - timedelta(days=days),
        )
    services.invite(jane)

    call_command("prune")

    left = OutgoingMessage.objects.values_list("status", flat=True)
    assert sorted(left) == [MessageStatus.FAILED, MessageStatus.WAITING]


def test_anonymisation_deletes_the_letters_of_a_person(jane, ada):
    services.invite(jane)
    passwords.request_password_reset("Jane@example.com")
    passwords.request_password_reset("paul@example.com")

    User.objects.filter(pk=jane.pk).update(is_active=False)
    services.anonymise(jane, by=ada)

    assert [message.recipient for message in OutgoingMessage.objects.all()] == ["paul@example.com"]


def test_requests_for_passwords_do_not_keep_back_the_proof_of_an_address(api, settings):
    settings.LETTERS_PER_RECIPIENT = 1
    for _ in range(3):
        api().post(RESET, {"email": "new@example.com"})
    body = {"username": "new", "email": "new@example.com", "password": "an-even-better-battery"}
    body |= {"user_type": "patient", "first_name": "Jane", "last_name": "Doe"}

    data(api().post("/api/auth/register/", body), 201)

    templates = OutgoingMessage.objects.values_list("template", flat=True)
    assert sorted(templates) == ["password_reset", "verify_email"]
