"""Requests of the races of login, registration and refresh. See appointments.tests.race."""

from collections import Counter

from django.db import connection
from rest_framework.test import APIClient

from accounts.auth import lockout
from accounts.auth.sessions import open_session
from accounts.models import LoginCounter, Session, User
from accounts.tests.factories import UserFactory

ATTEMPTS = 6
USERNAMES = ["jane", "JANE", "Jane", "jAnE", "janE", "JAne"]


def send_requests(call):
    """Sends the requests of one caller, one after the other, each from its own IP address.

    Returns (status, code, names of the invalid fields) of each response.
    """
    address, requests = call
    answers = []
    try:
        for number, (path, body) in enumerate(requests):
            client = APIClient(SERVER_NAME="localhost", REMOTE_ADDR=f"10.{address}.0.{number}")
            response = client.post(path, body)
            content = response.json()
            answers.append((response.status_code, content.get("code"), *content.get("errors", ())))
    finally:
        connection.close()
    return answers


def password_attempts_at_one_account(name="jane", is_known=True):
    _clear()
    if is_known:
        UserFactory(username=name)
    spellings = [name, name.upper(), f"{name}@example.com" if is_known else name.title()]
    body = {"password": "wrong-horse-battery"}
    return [
        (n, [("/api/auth/login/", body | {"username": spellings[i % 3]}) for i in range(ATTEMPTS)])
        for n in range(8)
    ]


def password_attempts_at_unknown_account():
    return password_attempts_at_one_account("nobody", is_known=False)


def password_attempts_after_lockout():
    """The same attempts after the lockout has expired."""
    calls = password_attempts_at_one_account()
    lockout.attempt_for("jane", None).consume()
    LoginCounter.objects.update(failures=10, expires_at="2020-01-01T00:00:00Z")
    return calls


def registrations_with_one_username():
    return _registrations(username=USERNAMES, email=[f"jane{n}@example.com" for n in range(6)])


def registrations_with_one_email():
    return _registrations(
        username=[f"jane{n}" for n in range(6)], email=[f"{name}@example.com" for name in USERNAMES]
    )


def refreshes_of_one_token():
    _clear()
    refresh = open_session(UserFactory(username="jane", password=None))["refresh"]
    return [(n, [("/api/auth/refresh/", {"refresh": refresh})]) for n in range(6)]


def database_state():
    """Returns the number of users, the number of live sessions, and the failure counts."""
    return (
        User.objects.count(),
        Session.objects.live().count(),
        Counter(LoginCounter.objects.filter(address=None).values_list("failures", flat=True)),
    )


def addresses():
    """Returns the number of users who have an e-mail address."""
    return User.objects.exclude(email="").count()


def _registrations(**fields):
    _clear()
    body = {
        "password": "correct-horse-battery",
        "user_type": "patient",
        "first_name": "Jane",
        "last_name": "Doe",
    }
    return [
        (n, [("/api/auth/register/", body | {key: values[n] for key, values in fields.items()})])
        for n in range(6)
    ]


def _clear():
    LoginCounter.objects.all().delete()
    User.objects.all().delete()
