"""The chain over the audit: each seal is made of an event as it stands and of the seal before it.

A seal is an HMAC under AUDIT_KEY, which the database does not hold: who can change rows cannot make
the seals that would fit them. Events are sealed a little after they were written, so that nobody
who writes one waits for another; one that is taken away before that is missed by nobody. A chain
whose end was cut off is still whole: that is found out by a checkpoint, kept somewhere else.
"""

import hmac
import json
import os
from datetime import datetime
from io import StringIO
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import connection

from accounts import append_only, audit
from accounts.models import Action, AuditEvent, AuditSeal
from config.api.transactions import atomic

GENESIS = "0" * 64
BATCH = 5000
THE_WHOLE = 2**63 - 1
# Ids are not given out in the order of the commits. No transaction lives so long that it would see
# this many others go by.
LATE = 100_000
TURN = 7_202_511  # the name of PostgreSQL's lock, of which every sealer knows

COLUMNS = [field.column for field in AuditEvent._meta.concrete_fields]
OF_EVENT = ", ".join(f"event.{column}" for column in COLUMNS)
UNSEALED = f"""
    SELECT {OF_EVENT} FROM accounts_auditevent event WHERE event.id > %s
    AND NOT EXISTS (SELECT 1 FROM accounts_auditseal seal WHERE seal.event = event.id)
    ORDER BY event.id LIMIT {BATCH}
"""  # noqa: S608  (columns and numbers of our own)
CHAIN = f"""
    SELECT seal.n, seal.hash, seal.proof, {OF_EVENT} FROM accounts_auditseal seal
    LEFT JOIN accounts_auditevent event ON event.id = seal.event
    WHERE seal.n <= %s ORDER BY seal.n
"""  # noqa: S608

as_json = json.JSONEncoder(separators=(",", ":")).encode


class Link(NamedTuple):
    """A seal, and its event as a list of COLUMNS; None where the event is gone."""

    n: int
    hash: str
    proof: str
    event: list | None


class Checked(NamedTuple):
    """How far a chain holds, and the number of the first seal that does not, with the reason."""

    n: int
    hash: str
    broken: int | None = None
    why: str = ""


# --- Making it ------------------------------------------------------------------------------


def seal():
    """Seal what is not sealed yet; how many events. Any number of sealers take their turns."""
    with_events = AuditSeal.objects.exclude(event=None)
    highest = with_events.order_by("-event").values_list("event", flat=True).first() or 0
    after, sealed = highest - LATE, 0
    while batch := _seal_batch(after):
        after, sealed = batch[-1], sealed + len(batch)
    return sealed


def end():
    """(n, hash) of the last seal."""
    return AuditSeal.objects.order_by("-n").values_list("n", "hash").first() or (0, GENESIS)


@atomic
def _seal_batch(after):
    """Seal the next events with ids beyond `after`; their ids."""
    _take_turn()
    with connection.cursor() as cursor:
        cursor.execute(UNSEALED, [after])
        events = cursor.fetchall()
        (last, previous), key, seals = end(), _key(), []
        for n, event in enumerate(events, last + 1):
            previous = _hash(key, previous, n, event)
            seals.append((n, event[0], previous))
        _store(cursor, seals)
    return [event[0] for event in events]


def _take_turn():
    """Nobody else adds to the chain until this transaction ends. On SQLite nobody could."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [TURN])


def _store(cursor, seals):
    if connection.vendor == "postgresql":
        lines = StringIO("".join(f"{n}\t{event}\t{digest}\t\n" for n, event, digest in seals))
        cursor.copy_expert("COPY accounts_auditseal (n, event, hash, proof) FROM STDIN", lines)
    else:
        insert = "INSERT INTO accounts_auditseal (n, event, hash, proof) VALUES (%s, %s, %s, '')"
        cursor.executemany(insert, seals)


def _hash(key, previous, n, event):
    return hmac.digest(key, f"{previous} {n} {_text(event)}".encode(), "sha256").hex()


def _text(event):
    """The event as both engines, and an archive, give it."""
    pk, at, *others = event
    return as_json([pk, _moment(at), *others])


def _moment(at):
    return f"{at:%Y-%m-%d %H:%M:%S.%f}" if isinstance(at, datetime) else at


def _key():
    return hmac.digest(settings.AUDIT_KEY.encode(), b"accounts.seals", "sha256")


# --- Checking it ----------------------------------------------------------------------------


def verify(checkpoints=()):
    """Check the whole chain, also against the (n, hash) pairs that were noted elsewhere."""
    return _at_length(lambda: _check(_links(), checkpoints))


def unsealed():
    """How many events have no seal yet."""
    return AuditEvent.objects.exclude(pk__in=AuditSeal.objects.values("event")).count()


def _check(links, checkpoints=(), start=(0, GENESIS)):
    noted, key = dict(checkpoints), _key()
    n, previous = start
    for link in links:
        if wrong := _wrong(key, link, n, previous, noted):
            return Checked(n, previous, *wrong)
        n, previous = link.n, link.hash
    last_noted = max(noted, default=0)
    if last_noted > n:
        return Checked(n, previous, n + 1, f"It is missing; a checkpoint knows seal {last_noted}.")
    return Checked(n, previous)


def _wrong(key, link, n, previous, noted):
    """(number, why) where the link does not follow upon seal `n`; None where it does."""
    if n == 0 and link.proof:
        if not hmac.compare_digest(link.proof, _proof(key, link.n, link.hash)):
            return link.n, "It stands for archived events without proof."
    elif link.n != n + 1:
        return min(link.n, n + 1), "It is missing, or does not belong here."
    elif link.event is None:
        return link.n, "The event it sealed is gone."
    elif link.proof or link.hash != _hash(key, previous, link.n, link.event):
        return link.n, "The event or the seal is not as it was."
    if noted.get(link.n, link.hash) != link.hash:
        return link.n, "A checkpoint knows another one."
    return None


def _proof(key, n, digest):
    """What only we can say of the last archived seal."""
    return hmac.digest(key, f"archived {n} {digest}".encode(), "sha256").hex()


def _links(up_to=THE_WHOLE):
    with connection.chunked_cursor() as cursor:
        cursor.execute(CHAIN, [up_to])
        while rows := cursor.fetchmany(BATCH):
            for n, digest, proof, *event in rows:
                yield Link(n, digest, proof, None if event[0] is None else event)


def _at_length(work):
    """`work` on one view of the chain, however long it takes."""
    if connection.vendor != "postgresql":  # where the one statement is the view
        return work()

    def without_limit():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
        return work()

    return atomic(without_limit)()


# --- Keeping it short -----------------------------------------------------------------------


def archive(before, path):
    """Move what was sealed, up to the first event that is not from before that moment, to a file.

    Gives the Checked end of it, None where nothing is that old; a ValidationError where the chain
    does not hold. Only the owner of the tables can do so: the triggers are lifted meanwhile.
    """

    def move():
        _take_turn()
        last = _last_before(before)
        if last is None:
            return None
        moved = _export(path, last)
        if moved.broken:
            raise ValidationError(f"Seal {moved.broken}: {moved.why}", code="broken_chain")
        with append_only.lifted(connection), connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM accounts_auditevent WHERE id IN"
                " (SELECT event FROM accounts_auditseal WHERE n <= %s)",
                [last],
            )
            cursor.execute("DELETE FROM accounts_auditseal WHERE n < %s", [last])
            proof = _proof(_key(), last, moved.hash)
            AuditSeal.objects.filter(n=last).update(event=None, proof=proof)
        audit.changed("audit.archive", action=Action.DELETE)
        return moved

    try:
        return _at_length(atomic(move))
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def check_archive(path):
    """Check a file that `archive` wrote."""
    with path.open() as file:
        head = json.loads(next(file))
        links = (Link(one["n"], one["hash"], "", one["event"]) for one in map(json.loads, file))
        return _check(links, start=head["after"])


def _last_before(moment):
    """The number of the last seal before which no event is from after that moment."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT MIN(seal.n) FROM accounts_auditseal seal JOIN accounts_auditevent event"
            " ON event.id = seal.event WHERE event.at >= %s",
            [connection.ops.adapt_datetimefield_value(moment)],
        )
        (first_later,) = cursor.fetchone()
    sealed = AuditSeal.objects.exclude(event=None)
    if first_later:
        sealed = sealed.filter(n__lt=first_later)
    return sealed.order_by("-n").values_list("n", flat=True).first()


def _export(path, last):
    links = _links(last)
    first = AuditSeal.objects.order_by("n").values_list("n", "hash", "proof").first()
    start = first[:2] if first[2] else (0, GENESIS)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(as_json({"after": start, "columns": COLUMNS}) + "\n")
        moved = _check(_copied(links, file))
        file.flush()
        os.fsync(file.fileno())
    return moved


def _copied(links, file):
    for link in links:
        if link.event is not None:
            pk, at, *others = link.event
            event = [pk, _moment(at), *others]
            file.write(as_json({"n": link.n, "hash": link.hash, "event": event}) + "\n")
        yield link
