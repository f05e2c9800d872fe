"""A PostgreSQL server and a small disk that an experiment may break.

Both live in a temporary folder and are removed afterwards. No other server or disk is touched. Root
is needed: the server runs as the user `postgres`, and the disk is a mounted tmpfs.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2

HOST = "127.0.0.1"
PORT = int(os.environ.get("BENCH_PG_PORT", "5440"))
UP_WITHIN = 60  # seconds
BLOCK = bytes(4096)


class Cluster:
    def __init__(self, folder):
        self.folder = folder

    def address(self, database):
        return f"postgres://root@{HOST}:{PORT}/{database}"

    def start(self):
        options = f"-p {PORT} -k {self.folder} -c listen_addresses={HOST} -c max_connections=60"
        self._control("-w", "-l", f"{self.folder}/log", "-o", options, "start")

    def stop(self, how):
        """Stops the server; `immediate` acts like a power cut, and the next start recovers."""
        self._control("-w", "-m", how, "stop")

    def ask(self, query, *values, database="postgres"):
        with closing(psycopg2.connect(self.address(database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(query, values)
                return cursor.fetchall() if cursor.description else []

    def postmaster(self):
        """Returns the process id of the postmaster."""
        return int(Path(f"{self.folder}/data/postmaster.pid").read_text().split()[0])

    def backends(self, database):
        """Returns the process ids that serve connections to `database`."""
        query = "SELECT pid FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
        return [pid for (pid,) in self.ask(query, database)]

    def crash(self, backend):
        """Kills one backend, so that the server ends all; returns the instant of recovery."""
        with closing(psycopg2.connect(self.address("postgres"))) as witness:
            kill(backend)
            give_up = time.monotonic() + UP_WITHIN
            while is_alive(witness) and time.monotonic() < give_up:
                time.sleep(0.01)
        return self.wait_until_back()

    def wait_until_back(self):
        """Returns the instant of the first successful connection, by time.monotonic()."""
        give_up = time.monotonic() + UP_WITHIN
        while True:
            try:
                self.ask("SELECT 1")
                return time.monotonic()
            except psycopg2.OperationalError:
                if time.monotonic() > give_up:
                    raise
                time.sleep(0.02)

    def _control(self, *command):
        as_postgres("pg_ctl", "-D", f"{self.folder}/data", *command)


def is_alive(connection):
    try:
        connection.cursor().execute("SELECT 1")
    except psycopg2.Error:
        return False
    return True


@contextmanager
def own_cluster():
    """Runs a server with crash safety on (fsync etc.); root connects without a password."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that `finally` blocks run
    folder = Path(tempfile.mkdtemp(prefix="clinic-cluster-"))
    shutil.chown(folder, "postgres")
    cluster = Cluster(folder)
    try:
        as_postgres(
            "initdb",
            *("--pgdata", f"{folder}/data", "--username", "root", "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C.UTF-8"),
        )
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop("immediate")
    finally:
        shutil.rmtree(folder)


def as_postgres(program, *arguments):
    """Runs a program of PostgreSQL as `postgres`; prints its output only if it fails."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"))
    with tempfile.TemporaryFile("w+") as words:  # the server would keep a pipe open
        try:
            _run(
                *("runuser", "-u", "postgres", "--", found[-1] if found else program, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                cwd="/",
            )
        except subprocess.CalledProcessError as error:
            words.seek(0)
            raise SystemExit(f"{program} failed.\n{words.read()}") from error


def kill(pid):
    """Sends SIGKILL; returns whether the process existed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def children(pid):
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Disk:
    """A small disk, and a file that fills it."""

    def __init__(self, folder):
        self.folder, self.filler = folder, folder / "filler"

    def fill(self):
        """Fills the disk and returns the size of the filling file."""
        with self.filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(BLOCK)
            except OSError:
                return file.tell()

    def free(self):
        self.filler.unlink()


@contextmanager
def small_disk(size, owner="root"):
    folder = Path(tempfile.mkdtemp(prefix="clinic-disk-"))
    _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder)
    try:
        shutil.chown(folder, owner)
        yield Disk(folder)
    finally:
        _run("umount", folder)
        folder.rmdir()


def _run(*command, **kwargs):
    """Runs a program from the PATH."""
    return subprocess.run(command, check=True, **kwargs)  # noqa: S603
