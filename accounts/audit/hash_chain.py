"""The chain over the audit: each seal is made of an event as it stands and of the seal before it.

A seal is an HMAC under AUDIT_KEY, which the database does not hold: who can change rows cannot make
the seals that would fit them. Events are sealed a little after they were written, so that nobody
who writes one waits for another; one that is taken away before that is missed by nobody. A chain
whose end was cut off, or that our own sealer has made again over other rows, is whole: that is
found out by the checkpoints, which are kept somewhere else.
"""

import hmac
import json
from collections import defaultdict
from datetime import UTC, datetime
from io import StringIO
from typing import NamedTuple

from django.conf import settings
from django.db import connection

from accounts.models import AuditEvent, AuditSeal
from config.db.transactions import atomic_with_retry

GENESIS = "0" * 64
BATCH = 5000
THE_WHOLE, LOWEST_ID = 2**63 - 1, -(2**63)
# Ids are not given out in the order of the commits: an event may be so many seals late.
MAX_OUT_OF_ORDER = 100_000
LOCK_ID = 7_202_511  # the name of PostgreSQL's lock, of which every sealer knows

COLUMNS = [field.column for field in AuditEvent._meta.concrete_fields]
JOIN_EVENT = ", ".join(f"event.{column}" for column in COLUMNS)
# Put together from columns and numbers of our own.
UNHASHED_EVENTS = f"""
    SELECT {JOIN_EVENT} FROM accounts_auditevent event WHERE event.id > %s
    AND NOT EXISTS (SELECT 1 FROM accounts_auditseal seal WHERE seal.event = event.id)
    ORDER BY event.id LIMIT {BATCH}
"""  # noqa: S608  # nosec B608
CHAIN = f"""
    SELECT seal.n, seal.hash, seal.proof, {JOIN_EVENT} FROM accounts_auditseal seal
    LEFT JOIN accounts_auditevent event ON event.id = seal.event
    WHERE seal.n <= %s ORDER BY seal.n
"""  # noqa: S608  # nosec B608
# The lowest event of the last seals. Not the highest: that can be anything somebody has put in.
FIRST_LINK = f"""
    SELECT MIN(event), COUNT(*) FROM
    (SELECT event FROM accounts_auditseal ORDER BY n DESC LIMIT {MAX_OUT_OF_ORDER}) AS latest
"""  # noqa: S608  # nosec B608

as_json = json.JSONEncoder(separators=(",", ":")).encode


class ChainLink(NamedTuple):
    """A seal, and its event as a list of COLUMNS; None where the event is gone."""

    n: int
    hash: str
    proof: str
    event: list | None


class Verification(NamedTuple):
    """How far a chain holds, and the number of the first seal that does not, with the reason."""

    n: int
    hash: str
    broken: int | None = None
    why: str = ""


# --- Making it ------------------------------------------------------------------------------


def append_hashes():
    """Seal what is not sealed yet; how many events. Any number of sealers take their turns."""
    with connection.cursor() as cursor:
        cursor.execute(FIRST_LINK)
        lowest, seals = cursor.fetchone()
    after, sealed = lowest if seals == MAX_OUT_OF_ORDER else LOWEST_ID, 0
    while batch := _append_batch(after):
        after, sealed = batch[-1], sealed + len(batch)
    return sealed


def contains(n, digest):
    """Whether the chain has that seal, or has it no more because it was archived."""
    first = AuditSeal.objects.order_by("n").values_list("n", flat=True).first()
    return AuditSeal.objects.filter(n=n, hash=digest).exists() or bool(first and n < first)


def head():
    """(n, hash) of the last seal."""
    return AuditSeal.objects.order_by("-n").values_list("n", "hash").first() or (0, GENESIS)


@atomic_with_retry
def _append_batch(after):
    """Seal the next events with ids beyond `after`; their ids."""
    lock_chain()
    with connection.cursor() as cursor:
        cursor.execute(UNHASHED_EVENTS, [after])
        events = cursor.fetchall()
        (last, previous), key, seals = head(), _keys()[0], []
        for n, event in enumerate(events, last + 1):
            previous = _hash(key, previous, n, event)
            seals.append((n, event[0], previous))
        _store(cursor, seals)
    return [event[0] for event in events]


def lock_chain():
    """Nobody else adds to the chain until this transaction ends. On SQLite nobody could."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_ID])


def _store(cursor, seals):
    if connection.vendor == "postgresql":
        lines = StringIO("".join(f"{n}\t{event}\t{digest}\t\n" for n, event, digest in seals))
        cursor.copy_expert("COPY accounts_auditseal (n, event, hash, proof) FROM STDIN", lines)
    else:
        insert = "INSERT INTO accounts_auditseal (n, event, hash, proof) VALUES (%s, %s, %s, '')"
        cursor.executemany(insert, seals)


def _hash(key, previous, n, event):
    return hmac.digest(key, f"{previous} {n} {as_json(normalise(event))}".encode(), "sha256").hex()


def normalise(event):
    """The event as both engines, and an archive, give it."""
    pk, at, *others = event
    if isinstance(at, datetime):
        at = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
    return [pk, at, *others]


def _keys():
    """Ours, and those of before, under which nothing is sealed any more."""
    keys = [settings.AUDIT_KEY, *settings.AUDIT_KEY_FALLBACKS]
    return [hmac.digest(key.encode(), b"accounts.seals", "sha256") for key in keys]


# --- Checking it ----------------------------------------------------------------------------


def verify(checkpoints=()):
    """Check the whole chain, also against the (n, hash) pairs that were noted elsewhere."""
    return without_statement_timeout(lambda: verify_links(links_of_chain(), checkpoints))


def count_unhashed(before):
    """How many events of before that moment have no seal."""
    events = AuditEvent.objects.filter(at__lt=before)
    return events.exclude(pk__in=AuditSeal.objects.exclude(event=None).values("event")).count()


def verify_links(links, checkpoints=(), start=(0, GENESIS)):
    """Check any links, from the seal that is to come before them."""
    noted, keys = defaultdict(set), _keys()
    for n, digest in checkpoints:
        noted[n].add(digest)
    n, previous = start
    for link in links:
        if wrong := _wrong(keys, link, n, previous, noted):
            return Verification(n, previous, *wrong)
        n, previous = link.n, link.hash
    last_noted = max(noted, default=0)
    if last_noted > n:
        return Verification(
            n, previous, n + 1, f"It is missing; a checkpoint knows seal {last_noted}."
        )
    return Verification(n, previous)


def _wrong(keys, link, n, previous, noted):
    """(number, why) where the link does not follow upon seal `n`; None where it does."""
    if n == 0 and link.proof:
        if not has_valid_hmac(link.n, link.hash, link.proof):
            return link.n, "It stands for archived events without proof."
    elif link.n != n + 1:
        return min(link.n, n + 1), "It is missing, or does not belong here."
    elif link.event is None:
        return link.n, "The event it sealed is gone."
    elif link.proof or not _is_sealed(keys, previous, link):
        return link.n, "The event or the seal is not as it was."
    if link.n in noted and noted[link.n] != {link.hash}:
        return link.n, "A checkpoint knows another one."
    return None


def _is_sealed(keys, previous, link):
    """Under any of the keys, of which the one that fits goes to the front: it will fit the next."""
    for place, key in enumerate(keys):
        if link.hash == _hash(key, previous, link.n, link.event):
            keys.insert(0, keys.pop(place))
            return True
    return False


def hmac_of(n, digest):
    """What only we can say of the last archived seal."""
    return _hmac(_keys()[0], n, digest)


def _hmac(key, n, digest):
    return hmac.digest(key, f"archived {n} {digest}".encode(), "sha256").hex()


def has_valid_hmac(n, digest, proof):
    return any(hmac.compare_digest(proof, _hmac(key, n, digest)) for key in _keys())


def links_of_chain(up_to=THE_WHOLE):
    """The chain as it stands, seal by seal."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(CHAIN, [up_to])
        while rows := cursor.fetchmany(BATCH):
            for n, digest, proof, *event in rows:
                yield ChainLink(n, digest, proof, None if event[0] is None else event)


def without_statement_timeout(work):
    """`work` on one view of the chain, however long it takes."""
    if connection.vendor != "postgresql":  # where the one statement is the view
        return work()

    def without_limit():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
        return work()

    return atomic_with_retry(without_limit)()
