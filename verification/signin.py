"""Checks refresh races and the login lockout, over HTTP with gunicorn.

    python -m verification.signin --race refresh --rounds 1000 --clients 6 --engine postgresql
    python -m verification.signin --guesses 10000 --proxies 1 --engine sqlite

In each round of the race all clients refresh with one token at once. One client must get a new pair
and the others 409. The guesses are wrong passwords for one account, each with its own
X-Forwarded-For, which the platform trusts with `--proxies 1`. The login throttle is off. The script
exits with 1 if a round ends otherwise, or if the platform checks more guesses than
LOCKOUT_FAILURES allows.
"""

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from verification.load import ask
from verification.server import configure, fresh_database, gunicorn

ALLOWED = 10
PASSWORD = "correct-horse-battery"  # noqa: S105 - of no real account


def post(path, body, **headers):
    """Sends an anonymous request and returns (status, parsed body)."""
    answer = ask(None, "POST", path, body, **headers)
    return answer.status, json.loads(answer.content)


def new_patient():
    from accounts.services import register

    return register(
        username="jane",
        first_name="Jane",
        email="jane@example.com",
        password=PASSWORD,
        user_type="patient",
    )


def race(rounds, clients):
    """Returns (answers, number of rounds with a wrong outcome); each round has one token."""
    from accounts.auth.sessions import open_session

    token = open_session(new_patient())["refresh"]
    answers, spoiled = Counter(), 0
    gate = Barrier(clients)

    def refresh(token):
        gate.wait(60)
        return post("/api/auth/refresh/", {"refresh": token})

    with gunicorn(), ThreadPoolExecutor(clients) as pool:
        for _ in range(rounds):
            asked = list(pool.map(refresh, [token] * clients))
            outcome = Counter((status, body.get("code")) for status, body in asked)
            answers += outcome
            spoiled += outcome != {(200, None): 1, (409, "refresh_superseded"): clients - 1}
            won = [body["data"]["refresh"] for status, body in asked if status == 200]
            token = won[0] if won else open_session_again()
    return answers, spoiled


def open_session_again():
    from accounts.auth.sessions import open_session
    from accounts.models import User

    return open_session(User.objects.get(username="jane"))["refresh"]


def guess(number):
    """Tries one wrong password from a new address and returns (status, code)."""
    address = f"{random.randrange(1, 224)}.{random.randrange(256)}.{number >> 8}.{number & 255}"  # noqa: S311
    body = {
        "username": random.choice(["jane", "JANE", "jane@example.com"]),  # noqa: S311
        "password": f"guess number {number}",
    }
    status, answer = post("/api/auth/login/", body, **{"X-Forwarded-For": address})
    return status, answer.get("code")


def guesses(number, clients):
    """Returns (answers to wrong passwords, answer to the right one, seconds, LoginCounter rows)."""
    from accounts.models import LoginCounter

    new_patient()
    with gunicorn(), ThreadPoolExecutor(clients) as pool:
        start = time.monotonic()
        answers = Counter(pool.map(guess, range(number)))
        seconds = time.monotonic() - start
        status, answer = post("/api/auth/login/", {"username": "jane", "password": PASSWORD})
    return answers, (status, answer.get("code")), seconds, LoginCounter.objects.count()


def show(answers):
    for (status, code), count in sorted(answers.items(), key=str):
        print(f"  {status} {code or ''}: {count}")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--engine", choices=["postgresql", "sqlite"], default="postgresql")
    options.add_argument("--race", choices=["refresh"])
    options.add_argument("--rounds", type=int, default=1000)
    options.add_argument("--clients", type=int, default=6)
    options.add_argument("--guesses", type=int)
    options.add_argument("--proxies", type=int, default=0)
    asked = options.parse_args()
    if not (asked.race or asked.guesses):
        options.error("give --race refresh or --guesses N")
    os.environ |= {"THROTTLE_LOGIN": "1000000/min", "NUM_PROXIES": str(asked.proxies)}
    failed = 0
    with fresh_database(asked.engine) as database:
        configure(database)
        from django.db import connections

        if asked.race:
            answers, failed = race(asked.rounds, asked.clients)
            print(f"{asked.engine}: {asked.rounds} rounds of {asked.clients} refreshes")
            show(answers)
            print(f"{asked.rounds - failed} passed, {failed} failed")
        else:
            answers, right, seconds, rows = guesses(asked.guesses, asked.clients)
            checked = answers[401, "invalid_credentials"]
            good = answers.keys() <= {(401, "invalid_credentials"), (429, "throttled")}
            failed = not good or checked > ALLOWED or right != (429, "throttled")
            print(f"{asked.engine}: {asked.guesses} guesses, {asked.proxies} trusted proxies")
            show(answers)
            print(f"  the right password afterwards: {right[0]} {right[1]}")
            print(f"  {seconds:.0f} s, {1000 * seconds / asked.guesses:.1f} ms each; rows: {rows}")
        connections.close_all()
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
