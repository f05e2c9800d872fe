"""The restore drill: dumps a database during writes, restores it and compares the copy.

    python -m verification.restore_drill

The drill creates two databases on the server of DATABASE_URL (by default the local one) and drops
them afterwards. It touches no other database.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ

ROOT = Path(__file__).resolve().parents[1]
SERVER = os.environ.get("DATABASE_URL") or "postgres://root@127.0.0.1:5432/postgres"
PATIENCE = 30  # seconds until the writer must have written

TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
# The number of rows of a table and a digest of their text.
CONTENT = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} t"
RULES = {
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2""",
    "indexes": """
        SELECT tablename, indexname, indexdef
        FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2""",
    "triggers": """
        SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid)
        FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2""",
    "extensions": "SELECT extname, extversion FROM pg_extension ORDER BY 1",
}
WRITTEN = "SELECT count(*) FROM appointments_appointmenthistory"


def main():
    results = []

    def check(sentence, *, holds):
        results.append(holds)
        say(f"{'ok    ' if holds else 'FAILED'} {sentence}")

    names = [f"drill_{os.getpid()}_{name}" for name in ("clinic", "restored")]
    with databases(*names) as (clinic, restored), tempfile.TemporaryDirectory() as folder:
        run_drill(clinic, restored, Path(folder) / "clinic.dump", check)
    say(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


def run_drill(clinic, restored, dump, check):
    manage(clinic, "demo", "--no-server")  # also migrates
    manage(clinic, "seal_audit")

    with writer(clinic), closing(psycopg2.connect(clinic)) as snapshot:
        snapshot.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ)
        [(snapshot_id,)] = rows(snapshot, "SELECT pg_export_snapshot()")
        dumped = tables(snapshot)
        run("pg_dump", "-Fc", f"--snapshot={snapshot_id}", f"--file={dump}", clinic)
        then, now = rows(snapshot, WRITTEN), at(clinic, WRITTEN)
    check(
        f"the clinic was written to during the dump: {then[0][0]} to {now[0][0]}", holds=now > then
    )

    run("pg_restore", "--exit-on-error", "--no-owner", f"--dbname={restored}", dump)
    with closing(psycopg2.connect(restored)) as connection:
        came_back = tables(connection)
    check(f"the same {len(dumped)} tables", holds=list(dumped) == list(came_back) != [])
    for name, content in dumped.items():
        check(f"{name}: {content[0]} rows, the same", holds=came_back.get(name) == content)
    for name, query in RULES.items():
        ours, theirs = at(clinic, query), at(restored, query)
        check(f"{name}: {len(ours)}, the same", holds=ours == theirs)

    for sentence, command in {
        "manage.py check reports nothing": ["check", "--fail-level=WARNING"],
        "no migration is missing": ["migrate", "--check"],
        "the hash chain of the audit is intact": ["verify_audit"],
        "a patient signs in and books": [
            "shell",
            "--no-imports",
            "--command=from verification import drill_clinic; drill_clinic.sign_in_and_book()",
        ],
    }.items():
        check(sentence, holds=manage(restored, *command, must=False).returncode == 0)


# --- Databases ------------------------------------------------------------------------------


@contextmanager
def databases(*names):
    """Creates databases, yields their addresses and drops them."""
    with closing(psycopg2.connect(SERVER)) as server:
        server.autocommit = True
        try:
            for name in names:
                server.cursor().execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name))
                )
            yield [urlsplit(SERVER)._replace(path=f"/{name}").geturl() for name in names]
        finally:
            for name in names:
                server.cursor().execute(
                    sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
                )


def tables(connection):
    """Returns {table: (number of rows, digest)}."""
    return {
        name: rows(connection, sql.SQL(CONTENT).format(sql.Identifier(name)))[0]
        for (name,) in rows(connection, TABLES)
    }


def rows(connection, query):
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def at(address, query):
    with closing(psycopg2.connect(address)) as connection:
        return rows(connection, query)


# --- Processes ------------------------------------------------------------------------------


@contextmanager
def writer(address):
    """Runs a process that books and cancels."""
    before = at(address, WRITTEN)
    process = subprocess.Popen(
        [
            sys.executable,
            "manage.py",
            "shell",
            "--no-imports",
            "--command=from verification import drill_clinic; drill_clinic.keep_writing()",
        ],
        cwd=ROOT,
        env=environment(address),
    )
    try:
        give_up = time.monotonic() + PATIENCE
        while at(address, WRITTEN) == before:
            if process.poll() is not None or time.monotonic() > give_up:
                raise SystemExit("The writer wrote nothing.")
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


def manage(address, *command, must=True):
    return run(sys.executable, "manage.py", *command, env=environment(address), must=must)


def run(*command, env=None, must=True):
    """Runs a command; prints its output only if it fails."""
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        say(done.stdout + done.stderr)
        if must:
            raise SystemExit(f"{command[0]} failed.")
    return done


def environment(address):
    return os.environ | {
        "DATABASE_URL": address,
        "DEBUG": "true",
        "SECRET_KEY": "a key for the drill alone, long enough for every check of ours",
        "ENV_FILE": os.devnull,
    }


def say(line):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
