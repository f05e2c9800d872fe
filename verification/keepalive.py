"""Checks that a refused request does not cost the next one on its connection.

    python -m verification.keepalive --requests 3000 --workers 2

One client per connection sends requests that are refused before their body is read (401, 404, 405,
415), with bodies of 1 byte to 900 kB, and after each one a request that must be answered with 200.
The script exits with 1 if a request gets no response.
"""

import argparse
import os
import random
import sys
from http.client import HTTPConnection, HTTPException

from verification.server import HOST, PORT, configure, fresh_database, gunicorn

LARGEST = 900_000  # bytes
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
        for asked, body, headers, status in [
            ((method, path), b"x" * size, {"Content-Type": kind}, expected),
            (("GET", "/healthz"), None, {}, 200),
        ]:
            try:
                connection.request(*asked, body=body, headers=headers)
                answer = connection.getresponse()
                answer.read()
            except (OSError, HTTPException) as error:
                lost.append(f"{asked} after {number} with {size} bytes: {error!r}")
                connection.close()
                continue
            if answer.status != status:
                lost.append(f"{asked} with {size} bytes: {answer.status}, not {status}")
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
