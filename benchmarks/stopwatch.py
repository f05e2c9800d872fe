"""Runs servers on their own core, keeps them busy with clients and measures a request's cost.

The clients and PostgreSQL share the first core that this process may use. The servers have the
second core.
"""

import os
import re
import selectors
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

import psycopg2

from verification.cluster import children
from verification.server import HOST, PORT, ROOT

HERE = ROOT / "benchmarks"
THREADS = 8
CORES = sorted(os.sched_getaffinity(0))
TICKS = os.sysconf("SC_CLK_TCK")
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)

GTHREAD = f"-m gunicorn -k gthread -w 1 --threads {THREADS} --log-level warning".split()
UVICORN = ["-m", "uvicorn", "--no-access-log", "--log-level", "warning"]
COMMANDS = {  # {server: (folder, arguments of Python)}
    "product": (ROOT, ["-m", "gunicorn"]),
    "floor": (HERE, [*GTHREAD, "benchmarks.floor.app:application"]),
    "naive": (HERE, [*GTHREAD, "benchmarks.naive.wsgi:application"]),
    "fastapi": (HERE, [*UVICORN, "benchmarks.yardstick.app:app"]),
    "fastapi core": (HERE, [*UVICORN, "benchmarks.yardstick.core:app"]),
}


def take_first_core():
    """Pins this process, and each process that it starts later, to the first core."""
    if len(CORES) < 2:
        raise SystemExit("Two cores are needed: one for the server and one for everything else.")
    os.sched_setaffinity(0, CORES[:1])


class Server(NamedTuple):
    port: int
    pid: int

    def cpu(self):
        """Returns the processor time in seconds, workers included."""
        return sum(_used(pid) for pid in [self.pid, *children(self.pid)])

    def resident(self):
        """Returns the resident memory of the worker in MB."""
        texts = [Path(f"/proc/{pid}/status").read_text() for pid in children(self.pid)]
        return max(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) for text in texts) / 1024


@contextmanager
def served(variant, *, port=PORT, **settings):
    """Runs a server with one worker on the second core; prints its output if it fails."""
    folder, arguments = COMMANDS[variant]
    if variant.startswith("fastapi"):
        arguments = [*arguments, "--host", HOST, "--port", str(port)]
    elif variant != "product":
        arguments = [*arguments, "--bind", f"{HOST}:{port}"]
    environment = os.environ | {
        "BIND": f"{HOST}:{port}",
        "WEB_CONCURRENCY": "1",
        "THREADS": str(THREADS),
        "PYTHONPATH": str(ROOT),
        **settings,
    }
    if _is_taken(port):
        raise SystemExit(f"Another process listens on {HOST}:{port}; set BENCH_PORT.")
    command = ["taskset", "-c", str(CORES[1]), sys.executable, *arguments]
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(  # noqa: S603
            command, cwd=folder, env=environment, stdout=words, stderr=words
        )
        try:
            if not _answers(port):
                words.seek(0)
                raise SystemExit(f"{variant} does not answer.\n{words.read()}")
            yield Server(port, process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _is_taken(port):
    with socket.socket() as one:
        return one.connect_ex((HOST, port)) == 0


def _answers(port):
    for _ in range(100):
        connection = HTTPConnection(HOST, port, timeout=5)
        try:
            connection.request("GET", "/api/appointments/")
            return connection.getresponse().status < 500
        except OSError:
            time.sleep(0.2)
        finally:
            connection.close()
    return False


# --- Clients -----------------------------------------------------------------------------------


class Run(NamedTuple):
    seconds: float
    latencies: list
    statuses: Counter

    @property
    def rate(self):
        return len(self.latencies) / self.seconds

    def p(self, percent):
        """Returns a percentile of the latencies in milliseconds."""
        if percent == 50:
            return median(self.latencies) * 1000
        return quantiles(self.latencies, n=100)[percent - 1] * 1000


class Client:
    """One connection, one request at a time."""

    def __init__(self, port):
        self.socket = socket.create_connection((HOST, port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request):
        self.answer, self.sent_at = b"", time.perf_counter()
        self.socket.sendall(request)

    def status(self):
        """Returns the status of the answer, or None while the answer is incomplete."""
        received = self.socket.recv(1 << 17)
        if not received:
            raise SystemExit(f"The connection broke after {self.answer[:200]!r}")
        self.answer += received
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end or len(body) < int(LENGTH.search(head)[1]):
            return None
        return int(head[9:12])


def drive(port, requests, *, seconds=None, count=None, clients=THREADS):
    """Sends requests for some seconds or a count; each client waits for its last answer."""
    latencies, statuses, sent, waiting = [], Counter(), 0, set()
    ready, requests = selectors.DefaultSelector(), iter(requests)
    started = time.perf_counter()

    def send(client):
        nonlocal sent
        over = sent == count or (seconds and time.perf_counter() - started > seconds)
        request = None if over else next(requests, None)
        if request is None:
            ready.unregister(client.socket)
            client.socket.close()
            waiting.discard(client)
        else:
            client.send(request)
            sent += 1

    for _ in range(clients):
        waiting.add(client := Client(port))
        ready.register(client.socket, selectors.EVENT_READ, client)
        send(client)
    while waiting:
        for key, _ in ready.select():
            if status := key.data.status():
                latencies.append(time.perf_counter() - key.data.sent_at)
                statuses[status] += 1
                send(key.data)
    return Run(time.perf_counter() - started, latencies, statuses)


# --- What it costs -----------------------------------------------------------------------------


class Cost(NamedTuple):
    """The cost of one request in milliseconds, and the requests per second."""

    rate: float
    cpu: float
    database: float
    p50: float


def cost(server, backends, requests, seconds):
    """Returns the Cost of these requests, all of which must succeed."""
    cpu, database = server.cpu(), backends.cpu()
    run = drive(server.port, requests, seconds=seconds)
    cpu, database = server.cpu() - cpu, backends.cpu() - database
    if run.statuses.keys() - {200, 201}:
        raise SystemExit(f"Some requests failed: {dict(run.statuses)}")
    each = 1000 / len(run.latencies)
    return Cost(run.rate, cpu * each, database * each, run.p(50))


class Backends:
    """The processor time of PostgreSQL's processes that serve clients.

    Background processes (checkpointer, walwriter) do not count. The postmaster counts ended
    processes; autovacuum is off, so that all of these served clients. `settle` does the work of
    autovacuum and the checkpointer between the turns.
    """

    ALIVE = """
        SELECT pid FROM pg_stat_activity
        WHERE backend_type IN ('client backend', 'parallel worker') AND pid <> pg_backend_pid()"""

    def __init__(self, cluster):
        cluster.ask("ALTER SYSTEM SET autovacuum = off")
        cluster.ask("SELECT pg_reload_conf()")
        self.postmaster = cluster.postmaster()
        self.connection = psycopg2.connect(cluster.address("clinic"))
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()

    def cpu(self):
        """Returns the processor time in seconds, ended backends included."""
        self.cursor.execute(self.ALIVE)
        alive = sum(_used(pid) for (pid,) in self.cursor.fetchall())
        return alive + _used(self.postmaster, with_ended=True)

    def settle(self, *, vacuum=False):
        """Writes everything to disk, so that no turn pays for the turn before."""
        if vacuum:
            self.cursor.execute("VACUUM ANALYZE")
        self.cursor.execute("CHECKPOINT")

    def close(self):
        self.connection.close()


def _used(pid, *, with_ended=False):
    """Returns seconds of processor time; 0 for an ended process, which its parent counts."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    ticks = text.rpartition(")")[2].split()[11:15]  # user and system, then those of ended children
    return sum(map(int, ticks if with_ended else ticks[:2])) / TICKS
