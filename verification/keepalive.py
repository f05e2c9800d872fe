"""Checks that a refused request does not cost the next one on its connection.

    python -m verification.keepalive --requests 3000 --workers 2

One client per connection sends requests that are refused before their body is read (401, 404, 405,
415), with bodies of 1 byte to 900 kB, and after each one a request that must be answered with 200.
One body in fifty is larger than the limit, and one is chunked.
The script exits with 1 if a request gets no response.
"""

import argparse
import os
import random
import sys
from http.client import HTTPConnection, HTTPException

from verification.server import HOST, PORT, configure, fresh_database, gunicorn

LARGEST = 900_000  # bytes
SOME_TOO_LARGE, SOME_CHUNKED = 7, 33
TOO_LARGE = 7_000_000  # beyond MAX_UPLOAD_MB: the connection may close, if the response says so
JSON = "application/json"

# (method, path, Content-Type, expected status)
REFUSALS = [
    ("POST", "/api/appointments/", JSON, 401),
    ("POST", "/api/nothing/", JSON, 404),
    ("POST", "/api/upcoming/", JSON, 401),
    ("DELETE", "/api/auth/login/", JSON, 405),
    ("POST", "/api/auth/login/", "text/plain", 415),
    ("PUT", "/nothing/", JSON, 404),
]


def lost_requests(count, seed=1):
    """Sends `count` refused requests; returns a description of each request that was lost."""
    dice, lost = random.Random(seed), []  # noqa: S311
    connection = HTTPConnection(HOST, PORT, timeout=30)
    for number in range(count):
        method, path, kind, expected = dice.choice(REFUSALS)
        size = int(LARGEST ** dice.random())
        body = b"x" * size
        if number % 50 == SOME_TOO_LARGE:
            body = b"x" * TOO_LARGE
        elif number % 50 == SOME_CHUNKED:  # refused by the API with 400
            body = iter([b"x" * TOO_LARGE])
            expected = 400 if path.startswith("/api/") else expected
        for asked, sent, headers, statuses in [
            ((method, path), body, {"Content-Type": kind}, {expected, 413}),
            (("GET", "/healthz"), None, {}, {200}),
        ]:
            try:
                connection.request(*asked, body=sent, headers=headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, HTTPException) as error:
                lost.append(f"{asked} as number {number} with {size} bytes: {error!r}")
                connection.close()
                continue
            if answer.status not in statuses:
                lost.append(f"{asked} with {size} bytes: {answer.status}, not {statuses}")
    connection.close()
    return lost


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--engine", choices=["postgresql", "sqlite"], default="sqlite")
    options = parser.parse_args()
    with fresh_database(options.engine) as database:
        configure(database)
        os.environ |= {"WEB_CONCURRENCY": str(options.workers), "THROTTLE_LOGIN": "1000000/min"}
        with gunicorn():
            lost = lost_requests(options.requests)
    print(*lost[:10], sep="\n")
    print(f"{options.requests} refused requests, {options.workers} worker(s): {len(lost)} lost")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
