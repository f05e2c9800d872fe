"""Requests of the races of login, registration and refresh. See appointments.tests.race."""

from collections import Counter
from http import HTTPStatus

from django.db import connection
from django.test import Client
from rest_framework.test import APIClient

from accounts.auth import lockout
from accounts.auth.sessions import open_session
from accounts.models import LoginCounter, Session, User
from accounts.tests.factories import PASSWORD, AdminFactory, UserFactory

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


def mutual_closings():
    return _mutual_changes(is_active=None)


def mutual_demotions():
    return _mutual_changes(user_type="patient")


def _mutual_changes(**changes):
    """Two admins; each sends the form of the other one's account with the changes."""
    _clear()
    admins = AdminFactory.create_batch(2, password=None)
    calls = []
    for admin, other in zip(admins, reversed(admins), strict=True):
        client = Client(SERVER_NAME="localhost")
        client.force_login(admin)
        page = f"/admin/accounts/user/{other.pk}/change/"
        names = ["first_name", "last_name", "username", "email", "gender", "user_type"]
        form = {name: getattr(other, name) for name in names}
        form |= {"is_active": "on", "if_version": other.version} | changes
        sent = {name: value for name, value in form.items() if value is not None}
        calls.append((client.cookies["sessionid"].value, page, sent))
    return calls


def post_form(call):
    """Sends a form of the admin; returns whether the form was saved."""
    session, page, form = call
    client = Client(SERVER_NAME="localhost")
    client.cookies["sessionid"] = session
    try:
        response = client.post(page, form)
        return response.status_code == HTTPStatus.FOUND and "/login/" not in response.url
    finally:
        connection.close()


def sign_ins_of_one_account():
    """Six sign-ins to an account that has 17 sessions."""
    _clear()
    jane = UserFactory(username="jane")
    for _ in range(17):
        open_session(jane)
    return list(range(1, 7))


def sign_in_once(number):
    client = APIClient(SERVER_NAME="localhost", REMOTE_ADDR=f"10.{number}.0.0")
    body = {"username": "jane", "password": PASSWORD}
    try:
        return client.post("/api/auth/login/", body).status_code
    finally:
        connection.close()


def live_sessions():
    return Session.objects.live().count()


def active_admins():
    return User.objects.filter(user_type="admin", is_active=True).count()


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
