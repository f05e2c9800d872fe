"""Killed workers lose no booking: a small run of verification/faults.py."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection

ROOT = Path(__file__).resolve().parents[2]


def a_free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_no_booking_is_lost_or_half_written_when_workers_are_killed():
    """Chance decides how many kills hit a booking; the verdict does not depend on that."""
    environment = os.environ | {"BENCH_PORT": str(a_free_port())}
    if connection.vendor == "postgresql":  # the experiment creates its own database there
        server = urlsplit(os.environ["DATABASE_URL"])._replace(path="/postgres")
        environment["DATABASE_URL"] = server.geturl()
    sizes = ["--bookings", "60", "--clients", "4", "--kills", "4"]

    done = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "verification.faults", "--fault", "workers"),
            *("--engine", connection.vendor, *sizes),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok     acknowledged and lost: 0" in done.stdout
