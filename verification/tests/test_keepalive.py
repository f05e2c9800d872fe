"""A refused request does not cost the next one: a small run of verification/keepalive.py."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def a_free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_no_request_is_lost_after_a_refused_one(workers):
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-m", "verification.keepalive", "--requests", "200", "--workers", workers],
        cwd=ROOT,
        env=os.environ | {"BENCH_PORT": str(a_free_port())},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
