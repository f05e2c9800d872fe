"""No letter is lost while workers are killed: a small run of verification/letters.py."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from django.db import connection

ROOT = Path(__file__).resolve().parents[2]


def test_no_letter_is_lost_when_workers_are_killed():
    environment = dict(os.environ)
    if connection.vendor == "postgresql":  # the experiment creates its own database there
        server = urlsplit(os.environ["DATABASE_URL"])._replace(path="/postgres")
        environment["DATABASE_URL"] = server.geturl()

    done = subprocess.run(  # noqa: S603
        [
            *(sys.executable, "-m", "verification.letters", "--engine", connection.vendor),
            *("--letters", "150", "--every", "1"),
        ],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
