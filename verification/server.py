"""The environment of an experiment: a fresh database, the settings and gunicorn."""

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

ROOT = Path(__file__).resolve().parents[1]
ADMIN_DATABASE = "postgres://root@127.0.0.1:5432/postgres"
HOST, PORT = "127.0.0.1", int(os.environ.get("BENCH_PORT") or 8765)


@contextmanager
def fresh_database(engine):
    """Creates an empty database of `engine`, yields its address and drops it."""
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
    """Configures Django for the database in this process and its children; migrates it."""
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
    sys.path.insert(0, str(ROOT))
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


@contextmanager
def gunicorn():
    """Runs gunicorn on the configured database and discards its log."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn"], cwd=ROOT, stdout=log, stderr=log
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
