"""Who races for what at the door, over HTTP; prepared at the desk. See appointments.tests.race."""

from collections import Counter

from django.db import connection
from rest_framework.test import APIClient

from accounts.auth import lockout
from accounts.auth.sessions import open_session
from accounts.models import LoginCounter, Session, User
from accounts.tests.factories import UserFactory

GUESSES = 6
NAMES = ["jane", "JANE", "Jane", "jAnE", "janE", "JAne"]


def knock(call):
    """(status, code, fields) of each answer to the requests of one caller, one after the other.

    Each comes from an address of its own.
    """
    address, requests = call
    answers = []
    try:
        for number, (path, body) in enumerate(requests):
            client = APIClient(SERVER_NAME="localhost", REMOTE_ADDR=f"10.{address}.0.{number}")
            response = client.post(path, body)
            said = response.json()
            answers.append((response.status_code, said.get("code"), *said.get("errors", ())))
    finally:
        connection.close()
    return answers


def eight_guess_at_one_account(name="jane", is_known=True):
    _clear()
    if is_known:
        UserFactory(username=name)
    spellings = [name, name.upper(), f"{name}@example.com" if is_known else name.title()]
    body = {"password": "wrong-horse-battery"}
    return [
        (n, [("/api/auth/login/", body | {"username": spellings[i % 3]}) for i in range(GUESSES)])
        for n in range(8)
    ]


def eight_guess_at_nobody():
    return eight_guess_at_one_account("nobody", is_known=False)


def eight_guess_again_later():
    """The same eight, when the time of the lockout is over."""
    calls = eight_guess_at_one_account()
    lockout.attempt_for("jane", None).consume()
    LoginCounter.objects.update(failures=10, expires_at="2020-01-01T00:00:00Z")
    return calls


def six_register_one_name():
    return _registrations(username=NAMES, email=[f"jane{n}@example.com" for n in range(6)])


def six_register_one_address():
    return _registrations(
        username=[f"jane{n}" for n in range(6)], email=[f"{name}@example.com" for name in NAMES]
    )


def six_refresh_one_token():
    _clear()
    refresh = open_session(UserFactory(username="jane", password=None))["refresh"]
    return [(n, [("/api/auth/refresh/", {"refresh": refresh})]) for n in range(6)]


def what_there_is():
    """How many people there are, how many live sessions, and what the counts stand at."""
    return (
        User.objects.count(),
        Session.objects.live().count(),
        Counter(LoginCounter.objects.filter(address=None).values_list("failures", flat=True)),
    )


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
