"""Servers on a core of their own, clients that keep them busy, and what a request costs.

The clients and PostgreSQL share the first core this process may use, the servers have the second.
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
from verification.server import HOST, HOUSE, PORT

HERE = HOUSE / "benchmarks"
THREADS = 8
CORES = sorted(os.sched_getaffinity(0))
TICKS = os.sysconf("SC_CLK_TCK")
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)", re.IGNORECASE)

GTHREAD = f"-m gunicorn -k gthread -w 1 --threads {THREADS} --log-level warning".split()
UVICORN = ["-m", "uvicorn", "--no-access-log", "--log-level", "warning"]
COMMANDS = {  # how each is served: (folder, arguments of Python)
    "product": (HOUSE, ["-m", "gunicorn"]),
    "floor": (HERE, [*GTHREAD, "benchmarks.floor:application"]),
    "naive": (HERE, [*GTHREAD, "benchmarks.naive.wsgi:application"]),
    "fastapi": (HERE, [*UVICORN, "benchmarks.yardstick.app:app"]),
    "fastapi core": (HERE, [*UVICORN, "benchmarks.yardstick.core:app"]),
}


def take_first_core():
    """For this process and whatever it starts from now on."""
    if len(CORES) < 2:
        raise SystemExit("This needs two cores: one for the server, one for all else.")
    os.sched_setaffinity(0, CORES[:1])


class Server(NamedTuple):
    port: int
    pid: int

    def cpu(self):
        """Seconds of processor time it has used, its workers included."""
        return sum(_used(pid) for pid in [self.pid, *children(self.pid)])

    def resident(self):
        """Megabytes of the largest of its processes: the worker's."""
        told = [Path(f"/proc/{pid}/status").read_text() for pid in children(self.pid)]
        return max(int(re.search(r"VmRSS:\s+(\d+)", text)[1]) for text in told) / 1024


@contextmanager
def served(variant, *, port=PORT, **settings):
    """A Server of one worker on the second core; its words are shown where it does not start."""
    folder, arguments = COMMANDS[variant]
    if variant.startswith("fastapi"):
        arguments = [*arguments, "--host", HOST, "--port", str(port)]
    elif variant != "product":
        arguments = [*arguments, "--bind", f"{HOST}:{port}"]
    environment = os.environ | {
        "BIND": f"{HOST}:{port}",
        "WEB_CONCURRENCY": "1",
        "THREADS": str(THREADS),
        "PYTHONPATH": str(HOUSE),
        **settings,
    }
    if _is_taken(port):
        raise SystemExit(f"Something listens at {HOST}:{port} already; set BENCH_PORT.")
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
        """Milliseconds that so many percent of the answers took at most."""
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
        """Of the answer, once all of it is here; until then None."""
        received = self.socket.recv(1 << 17)
        if not received:
            raise SystemExit(f"The connection broke after {self.answer[:200]!r}")
        self.answer += received
        head, end, body = self.answer.partition(b"\r\n\r\n")
        if not end or len(body) < int(LENGTH.search(head)[1]):
            return None
        return int(head[9:12])


def drive(port, requests, *, seconds=None, count=None, clients=THREADS):
    """A Run of so many seconds or requests, in which each client asks as soon as it is answered."""
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
    """Of one request, in milliseconds but for the requests per second."""

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
        raise SystemExit(f"Not all went well: {dict(run.statuses)}")
    each = 1000 / len(run.latencies)
    return Cost(run.rate, cpu * each, database * each, run.p(50))


class Backends:
    """PostgreSQL's processes that serve clients, without autovacuum, checkpointer and the like.

    The postmaster counts the processor time of processes that have ended. Autovacuum is off, so
    that only backends of clients end; `settle` does its work between the turns.
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
        """Returns seconds of processor time, of ended backends too."""
        self.cursor.execute(self.ALIVE)
        alive = sum(_used(pid) for (pid,) in self.cursor.fetchall())
        return alive + _used(self.postmaster, with_gone=True)

    def settle(self, *, vacuum=False):
        """Writes everything to disk, so that no turn pays for the turn before."""
        if vacuum:
            self.cursor.execute("VACUUM ANALYZE")
        self.cursor.execute("CHECKPOINT")

    def close(self):
        self.connection.close()


def _used(pid, *, with_gone=False):
    """Seconds; 0 for a process that is gone, which its parent counts."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    ticks = told.rpartition(")")[2].split()[11:15]  # user and system, then those of the gone
    return sum(map(int, ticks if with_gone else ticks[:2])) / TICKS
