"""Kills workers and databases and fills disks during bookings, then checks for losses.

    python -m verification.faults                       # every fault on each of its engines
    python -m verification.faults --fault workers --engine sqlite --bookings 600
    python -m verification.faults --fault backend       # or server, or disk

workers: kills a random gunicorn worker every 0.6 s, once a booking succeeded after the last kill.
backend: kills PostgreSQL backends; the server then ends all connections. server: stops PostgreSQL
as in a power cut, first while no request runs and then for 3 s under load. disk: fills the disk of
the database, then that of the pictures.

No acknowledged booking may be lost and no partial write may stay. Clients that cannot be served get
503 with Retry-After. The script prints counts and exits with 1 on a deviation. All faults except
`workers` need root and Linux; they use their own PostgreSQL and disks (cluster.py).
"""

import argparse
import multiprocessing
import random
import sys
import time

from verification.cluster import children, kill, own_cluster
from verification.full_disk import full_disk
from verification.load import (
    BOOKING,
    BROKEN,
    IN_PROGRESS,
    UNAVAILABLE,
    Report,
    a_clinic,
    ask_all_at_once,
    book_while,
    ledger,
    reading,
    tally,
)
from verification.server import fresh_database

BETWEEN_KILLS = 0.6  # seconds
BACKEND_KILLS = 5
DOWN = 3  # seconds
BACK_WITHIN = 5  # seconds from the database's return to the last 503


def killed_workers(report, *, engine, bookings, clients, kills):
    killed = []

    def disturb(left):
        while (before := left()) and (kills is None or len(killed) < kills):
            time.sleep(BETWEEN_KILLS)
            while left() == before:  # a worker may start more slowly on a busy machine
                time.sleep(0.05)
            if workers := children(master.pid):
                killed.append(kill(random.choice(workers)))  # noqa: S311 (no secret)

    with (
        fresh_database(engine) as database,
        a_clinic(database, bookings, clients) as (tokens, slots, master),
    ):
        outcomes = book_while(tokens, slots, disturb)
        report.note(f"workers killed: {sum(killed)}")
        settle(report, outcomes, tolerated={BROKEN, IN_PROGRESS})


def killed_backend(report, *, bookings, clients, **_):
    def disturb(cluster):
        for _ in range(BACKEND_KILLS):
            time.sleep(1)
            backend = random.choice(cluster.backends("clinic"))  # noqa: S311 (no secret)
            yield time.monotonic(), cluster.crash(backend)

    lose_the_database(report, bookings, clients, disturb)


def stopped_server(report, *, bookings, clients, **_):
    def disturb(cluster):
        time.sleep(1)
        gone = time.monotonic()
        cluster.stop("immediate")
        time.sleep(DOWN)
        cluster.start()
        yield gone, cluster.wait_until_back()

    lose_the_database(report, bookings, clients, disturb, idle=True)


def lose_the_database(report, bookings, clients, disturb, *, idle=False):
    """Books while `disturb` stops the database; `disturb` yields (instant of loss, of return)."""
    losses = []

    def lose(left):
        for loss in disturb(cluster):
            losses.append(loss)
            if not left():
                break

    with own_cluster() as cluster:
        cluster.ask("CREATE DATABASE clinic")
        with a_clinic(cluster.address("clinic"), bookings, clients) as (tokens, slots, master):
            workers = children(master.pid)
            if idle:
                restart_while_nobody_asks(report, cluster, tokens)
            with reading(tokens[0]) as seen:
                outcomes = book_while(tokens, slots, lose)
                time.sleep(1)  # lets the reader meet the restored service
            settle(report, outcomes, tolerated={UNAVAILABLE, IN_PROGRESS})
            names = {name for _, name in seen}
            report.note(f"a reader met: {tally(name for _, name in seen)}")
            report.check("the reader met only 200 and 503", holds=names <= {"200", UNAVAILABLE})
            check_return(report, losses, [*seen, *(one for each in outcomes for one in each.met)])
            report.check("the same workers", holds=children(master.pid) == workers)


def check_return(report, losses, met):
    """Checks that requests got 503 during a loss and succeeded soon after it."""
    refused = [when for when, name in met if name == UNAVAILABLE]
    waits = [0.0]
    until = [gone for gone, _ in losses[1:]] + [float("inf")]
    for (_, back), lost_again in zip(losses, until, strict=True):
        waits += [when - back for when in refused if back < when < lost_again]
    report.check(
        f"the database was lost {len(losses)} times, and {len(refused)} answers were 503",
        holds=losses and refused,
    )
    report.check(
        f"the last 503 came {max(waits):.2f} s after a return", holds=max(waits) <= BACK_WITHIN
    )


def restart_while_nobody_asks(report, cluster, tokens):
    """Restarts PostgreSQL between requests, so that the connection of each thread is stale."""
    ask_all_at_once(tokens[:1] * 40, BOOKING)
    held = len(cluster.backends("clinic"))
    cluster.stop("immediate")
    cluster.start()
    cluster.wait_until_back()
    answers = ask_all_at_once(tokens[:1] * 40, BOOKING)
    report.check(
        f"after a restart while idle, {held} connections stale: {tally(answers)}",
        holds=held and set(answers) == {"200"},
    )


def settle(report, outcomes, *, tolerated):
    """Reports the answers of the clients and checks the database against them."""
    met = [name for outcome in outcomes for _, name in outcome.met]
    report.note(
        f"bookings {len(outcomes)}: {sum(not outcome.met for outcome in outcomes)} at the first"
        f" try, {sum(bool(outcome.met) for outcome in outcomes)} after {len(met)} retries,"
        f" {sum(outcome.replayed for outcome in outcomes)} of them replayed"
    )
    report.note(f"met on the way: {tally(met)}")
    report.check("clients met only tolerated answers", holds=set(met) <= tolerated)
    for what, count in ledger(outcomes).items():
        report.check(f"{what}: {count}", holds=not count)


# --- The table --------------------------------------------------------------------------------

POSTGRESQL, BOTH = ["postgresql"], ["postgresql", "sqlite"]

FAULTS = {
    # name        experiment       engines
    "workers": (killed_workers, BOTH),
    "backend": (killed_backend, POSTGRESQL),
    "server": (stopped_server, POSTGRESQL),
    "disk": (full_disk, BOTH),
}


def run(fault, engine, sizes):
    """Runs one experiment in its own process, because Django is configured once per process."""
    print(f"{fault}, {engine}", flush=True)
    report = Report()
    FAULTS[fault][0](report, engine=engine, **sizes)
    sys.exit(not report.passed)


def main():
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--fault", choices=FAULTS, action="append")
    options.add_argument("--engine", choices=BOTH)
    options.add_argument("--bookings", type=int, default=1000)
    options.add_argument("--clients", type=int, default=8)
    options.add_argument(
        "--kills", type=int, help="of workers; default: until all bookings are acknowledged"
    )
    asked = options.parse_args()
    sizes = {"bookings": asked.bookings, "clients": asked.clients, "kills": asked.kills}
    results = []
    for fault in asked.fault or FAULTS:
        for engine in FAULTS[fault][1]:
            if asked.engine in (None, engine):
                child = multiprocessing.Process(target=run, args=(fault, engine, sizes))
                child.start()
                child.join()
                results.append(child.exitcode == 0)
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    sys.exit(not results or not all(results))


if __name__ == "__main__":
    main()
