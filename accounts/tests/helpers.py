"""Helpers of the tests of accounts: requests, response parsing, tokens, mail and concurrency."""

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

from accounts.messages import outbox

requires_postgresql = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="SQLite lets one thread write at a time"
)

TOKEN_INVALID = (401, "token_invalid")
TOKEN_REFUSED = (*TOKEN_INVALID, {"detail": ["The token is invalid, expired or revoked."]})


def data(response, status=200):
    """Checks the status and returns the `data` of the success envelope."""
    assert response.status_code == status, response.content
    return response.json()["data"]


def error_details(response):
    """Returns (status, code, errors) of an error response."""
    body = response.json()
    assert body["status"] == "error", body
    return response.status_code, body["code"], body["errors"]


def status_and_code(response):
    return error_details(response)[:2]


def sign_in(client, username, password):
    return client.post("/api/auth/login/", {"username": username, "password": password})


def refresh(client, token):
    return client.post("/api/auth/refresh/", {"refresh": token})


def profile(client, access):
    return client.get("/api/auth/profile/", HTTP_AUTHORIZATION=f"Bearer {access}")


def decode_claims(token):
    return jwt.decode(token, options={"verify_signature": False})


def sign_token(claims, **changes):
    """Signs a token with our own key; `changes` override claims, and `...` removes one."""
    claims = {name: value for name, value in (claims | changes).items() if value is not ...}
    return jwt.encode(claims, settings.SECRET_KEY, algorithm="HS256")


def sent_mail():
    """Delivers all letters that are due; returns all sent messages."""
    while outbox.deliver_next():
        pass
    return mail.outbox


def link_params(message):
    """Returns the query parameters of the link in an e-mail message."""
    address = next(word for word in message.body.split() if word.startswith("http"))
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def image_bytes(kind="PNG", size=(40, 30), mode="RGB", **options):
    """Returns the bytes of an image file."""
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, kind, **options)
    return buffer.getvalue()


def run_concurrently(*calls):
    """Starts all calls at the same time, each in its own thread, and returns their results."""
    start = Barrier(len(calls))

    def run(call):
        try:
            start.wait(timeout=10)
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def run_behind_transaction(hold, call):
    """Runs `call` in a thread while the transaction of `hold` is open; returns both results.

    The transaction is committed as soon as `call` waits for one of its locks.
    """

    def run():
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            held = hold()
            future = pool.submit(run)
            while not (_is_blocking_a_connection() or future.done()):
                sleep(0.01)
        return held, future.result(timeout=10)


def _is_blocking_a_connection():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted"
            " AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        return cursor.fetchone()[0]
