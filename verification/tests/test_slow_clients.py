"""Slow clients do not stop others: runs verification/slow_clients.py where nginx is installed."""

import os
import shutil
import subprocess
import sys

import pytest

from verification.slow_clients import ROOT
from verification.tests.test_keepalive import a_free_port


@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")
def test_slow_clients_do_not_stop_others_behind_the_documented_proxy():
    done = subprocess.run(
        [sys.executable, "-m", "verification.slow_clients"],
        cwd=ROOT,
        env=os.environ | {"BENCH_PORT": str(a_free_port())},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "/healthz answered 20 of 20 times; 9 of 9 slow bodies ended" in done.stdout
