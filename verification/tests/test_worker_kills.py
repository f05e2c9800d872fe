"""Workers that are killed while people book lose nothing: the fault experiment, at a small size."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection

HOUSE = Path(__file__).resolve().parents[2]


def a_free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_what_was_acknowledged_is_there_and_nothing_is_half_done():
    """However many of the kills hit a booking: that is left to chance, the verdict is not."""
    environment = os.environ | {"BENCH_PORT": str(a_free_port())}
    if connection.vendor == "postgresql":  # the experiment makes a database of its own there
        server = urlsplit(os.environ["DATABASE_URL"])._replace(path="/postgres")
        environment["DATABASE_URL"] = server.geturl()
    sizes = ["--bookings", "60", "--clients", "4", "--kills", "4"]

    done = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "verification.faults", "--fault", "workers"),
            *("--engine", connection.vendor, *sizes),
        ],
        cwd=HOUSE,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok     acknowledged and lost: 0" in done.stdout
