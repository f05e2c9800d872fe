"""Fills disks: writes must be refused, reads must succeed and data must stay intact."""

import os
import sqlite3
from contextlib import closing, contextmanager
from io import BytesIO

from verification.cluster import HOST, PORT, as_postgres, own_cluster, small_disk
from verification.load import (
    BOOKING,
    UNAVAILABLE,
    a_clinic,
    ask,
    ask_all_at_once,
    book,
    ledger,
    tally,
)

SLOTS = 600
BEFORE = 10  # bookings before the disk is full
REFUSED = 20  # refusals that prove a full disk; old pages may still have room for some bookings
PROFILE = "/api/auth/profile/"
READS = [BOOKING, "/api/time-slots/?available=true", "/api/doctors/", PROFILE]
READS_OF_ONE = [BOOKING + "{}/", BOOKING + "{}/history/"]


def full_disk(report, *, engine, clients, **_):
    with small_disk("1m") as pictures, ENGINES[engine]() as (database, disk, check_integrity):
        os.environ["MEDIA_ROOT"] = str(pictures.folder)
        with a_clinic(database, SLOTS, clients) as (tokens, slots, _master):
            no_room_for_bookings(report, tokens, iter(slots), disk)
            no_room_for_pictures(report, tokens[0], pictures)
        report.check("the database passes its integrity check", holds=check_integrity())


# --- The disk of each engine ------------------------------------------------------------------


@contextmanager
def sqlite():
    with small_disk("8m") as disk:
        file = disk.folder / "clinic.sqlite3"

        def check_integrity():
            with closing(sqlite3.connect(file)) as connection:
                return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

        yield f"sqlite:///{file}", disk, check_integrity


@contextmanager
def postgresql():
    """Fills the disk of the tables only: with a full WAL disk the server itself stops."""

    def check_integrity():
        server = ["--host", HOST, "--port", str(PORT), "--username", "root"]
        as_postgres("pg_amcheck", *server, "--install-missing", "--heapallindexed", "clinic")
        return True  # as_postgres exits if pg_amcheck finds a fault

    with small_disk("64m", owner="postgres") as disk, own_cluster() as cluster:
        cluster.ask(f"CREATE TABLESPACE small LOCATION '{disk.folder}'")
        cluster.ask("CREATE DATABASE clinic TABLESPACE small")
        yield cluster.address("clinic"), disk, check_integrity


ENGINES = {"sqlite": sqlite, "postgresql": postgresql}


# --- Bookings and pictures --------------------------------------------------------------------


def no_room_for_bookings(report, tokens, slots, disk):
    mine = tokens[0]
    before = [book(mine, next(slots), patience=0) for _ in range(BEFORE)]
    report.note(f"filled with {disk.fill()} bytes")

    booked, refused = [], []
    while len(refused) < REFUSED:
        outcome = book(mine, next(slots), patience=0)
        (booked if outcome.appointment else refused).append(outcome)
    told = [name for outcome in refused for _, name in outcome.met]
    report.note(f"bookings that still fitted: {len(booked)}")
    report.check(f"bookings refused: {tally(told)}", holds=set(told) == {UNAVAILABLE})

    notes = {one.appointment: change_reason(mine, one.appointment) for one in before}
    report.check(
        f"changes, which may fit into old pages: {tally(notes.values())}",
        holds=set(notes.values()) <= {"200", UNAVAILABLE},
    )

    paths = [*READS, *(path.format(one.appointment) for path in READS_OF_ONE for one in before)]
    reads = [name for path in paths for name in ask_all_at_once(tokens[:1] * 16, path)]
    report.check(f"reads: {tally(reads)}", holds=set(reads) == {"200"})

    disk.free()
    after = [book(mine, next(slots), patience=0) for _ in range(BEFORE)]
    told = [name for outcome in after for _, name in outcome.met]
    report.check(f"bookings refused after the disk has room again: {tally(told)}", holds=not told)
    again = [book(one.token, one.slot, one.key, patience=0) for one in refused]
    shown = {pk: ask(mine, "GET", f"{BOOKING}{pk}/").data["reason_for_visit"] for pk in notes}
    report.check(
        "exactly the changes that were answered 200 are stored",
        holds=all((shown[pk] == "Changed") == (name == "200") for pk, name in notes.items()),
    )
    for what, count in ledger([*before, *booked, *after, *again]).items():
        report.check(f"{what}: {count}", holds=not count)


def change_reason(token, appointment):
    return ask(token, "PATCH", f"{BOOKING}{appointment}/", {"reason_for_visit": "Changed"}).name


def no_room_for_pictures(report, token, disk):
    disk.fill()
    report.check(f"a picture: {(name := upload(token))}", holds=name == UNAVAILABLE)
    shown = ask(token, "GET", PROFILE)
    report.check("the profile is readable and has no picture", holds=shown.data["avatar"] is None)
    left = list(disk.folder.rglob("*.webp"))
    report.check(f"partial picture files: {len(left)}", holds=not left)
    name = ask(token, "PATCH", PROFILE, {"first_name": "Jane"}).name
    report.check(f"other fields of the profile are written: {name}", holds=name == "200")
    disk.free()
    report.check(
        f"a picture after the disk has room again: {(name := upload(token))}", holds=name == "200"
    )


def upload(token):
    """Uploads a picture of about 100 kB as multipart form; returns the name of the answer."""
    from PIL import Image

    picture = BytesIO()
    Image.effect_noise((512, 512), 100).save(picture, "PNG")
    head = b'--line\r\nContent-Disposition: form-data; name="avatar"; filename="me.png"\r\n\r\n'
    form = head + picture.getvalue() + b"\r\n--line--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=line"}
    return ask(token, "PATCH", PROFILE, form, **kind).name
