"""A clinic of its own for an experiment: a fresh database, people with tokens, and gunicorn."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

HOUSE = Path(__file__).resolve().parents[1]
ADMIN_DATABASE = "postgres://root@127.0.0.1:5432/postgres"
HOST, PORT = "127.0.0.1", int(os.environ.get("BENCH_PORT") or 8765)


@contextmanager
def fresh_database(engine):
    """The address of an empty database of `engine`, gone afterwards."""
    if engine == "sqlite":
        folder = tempfile.mkdtemp(prefix="clinic-")
        try:
            yield f"sqlite:///{folder}/clinic.sqlite3"
        finally:
            shutil.rmtree(folder)
        return
    import psycopg2

    server = os.environ.get("DATABASE_URL") or ADMIN_DATABASE
    name = f"clinic_{secrets.token_hex(4)}"
    admin = psycopg2.connect(server)
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
    finally:
        with admin.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
        admin.close()


def configure(database):
    """Point this process and its children at the database, as production would be."""
    os.environ |= {
        "ENV_FILE": os.devnull,
        "DATABASE_URL": database,
        "SECRET_KEY": secrets.token_urlsafe(64),
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "THROTTLE_USER": "1000000/min",
        "ACCESS_TOKEN_MINUTES": "600",
        "BIND": f"{HOST}:{PORT}",
        "WEB_CONCURRENCY": "2",
        "THREADS": "8",
    }
    sys.path.insert(0, str(HOUSE))
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


@contextmanager
def gunicorn():
    """Gunicorn serving the configured clinic; its log goes nowhere but for errors."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn"], cwd=HOUSE, stdout=log, stderr=log
        )
        try:
            _wait_until_it_answers()
            yield process
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_it_answers():
    for _ in range(100):
        connection = HTTPConnection(HOST, PORT, timeout=5)
        try:
            connection.request("GET", "/api/")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    raise SystemExit("gunicorn does not answer")
