"""Words the tests of this app share."""

import io
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import sleep
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from django.conf import settings
from django.core import mail
from django.db import connection, transaction
from PIL import Image

from accounts.mail import mail_executor

on_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite lets one thread write at a time"
)

TOKEN_INVALID = (401, "token_invalid")
TOKEN_REFUSED = (*TOKEN_INVALID, {"detail": ["The token is invalid, expired or revoked."]})


def data(response, status=200):
    """What the envelope of a success carries."""
    assert response.status_code == status, response.content
    return response.json()["data"]


def refusal(response):
    """(status, code, errors) of an answer that refuses."""
    body = response.json()
    assert body["status"] == "error", body
    return response.status_code, body["code"], body["errors"]


def status_and_code(response):
    return refusal(response)[:2]


def sign_in(client, username, password):
    return client.post("/api/auth/login/", {"username": username, "password": password})


def refresh(client, token):
    return client.post("/api/auth/refresh/", {"refresh": token})


def profile(client, access):
    return client.get("/api/auth/profile/", HTTP_AUTHORIZATION=f"Bearer {access}")


def claims_of(token):
    return jwt.decode(token, options={"verify_signature": False})


def signed(claims, **changes):
    """A token with those claims under our own key; a claim changed to `...` is left out."""
    claims = {name: value for name, value in (claims | changes).items() if value is not ...}
    return jwt.encode(claims, settings.SECRET_KEY, algorithm="HS256")


def letters():
    """Every letter that has left, once the postman is back."""
    mail_executor.submit(int).result()
    return mail.outbox


def link_in(letter):
    """What a letter's link carries, as the SPA would read it from its address."""
    address = next(word for word in letter.body.split() if word.startswith("http"))
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def picture(kind="PNG", size=(40, 30), mode="RGB", **options):
    """A picture file, as the bytes of it."""
    written = io.BytesIO()
    Image.new(mode, size).save(written, kind, **options)
    return written.getvalue()


def at_once(*calls):
    """What each call returns when all start together, each in a thread of its own."""
    start = Barrier(len(calls))

    def run(call):
        try:
            start.wait(timeout=10)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def while_held(hold, call):
    """What `call` returns that starts, and has to wait, while the changes of `hold` are open."""

    def run():
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            held = hold()
            waiting = pool.submit(run)
            while not (_somebody_waits_for_us() or waiting.done()):
                sleep(0.01)
        return held, waiting.result(timeout=10)


def _somebody_waits_for_us():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted"
            " AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        return cursor.fetchone()[0]
