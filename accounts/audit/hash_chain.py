"""The hash chain over the audit: the hash of each link covers its event and the previous hash.

A hash is an HMAC with AUDIT_KEY, which is not in the database. Whoever can change rows cannot
create matching hashes. Events are hashed shortly after they were written, so that writers do not
wait for each other; an event that is deleted before is not missed. Checkpoints, which are stored
elsewhere, reveal a chain whose end was deleted, or that was created again with AUDIT_KEY.

The last link of each run has the number of its checkpoint, which its hash covers: the chain says
itself how many checkpoints there must be (accounts.audit.checkpoints).
"""

import hmac
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from io import StringIO
from typing import NamedTuple, TypeVar

from django.conf import settings
from django.db import connection

from accounts.audit import checkpoints
from accounts.models import AuditEvent, AuditSeal
from config.db.transactions import atomic_with_retry
from config.db.types import CursorWrapper

R = TypeVar("R")

GENESIS = "0" * 64
BATCH = 5000
END, LOWEST_ID = 2**63 - 1, -(2**63)
# Transactions do not commit in the order of ids: an event may be this many links late.
MAX_OUT_OF_ORDER = 100_000
NULL = r"\N"  # in the text format of COPY
LOCK_ID = 7_202_511  # of PostgreSQL's advisory lock
NEW_CHECKPOINTS = "audit.new_checkpoints"  # the event of a new file of checkpoints

COLUMNS = [field.column for field in AuditEvent._meta.concrete_fields]
JOIN_EVENT = ", ".join(f"event.{column}" for column in COLUMNS)
# These statements contain only names of columns and constants.
UNHASHED_EVENTS = f"""
    SELECT {JOIN_EVENT} FROM accounts_auditevent event WHERE event.id > %s
    AND NOT EXISTS (SELECT 1 FROM accounts_auditseal seal WHERE seal.event = event.id)
    ORDER BY event.id LIMIT {BATCH}
"""  # noqa: S608  # nosec B608
CHAIN = f"""
    SELECT seal.n, seal.hash, seal.proof, seal.checkpoint, {JOIN_EVENT} FROM accounts_auditseal seal
    LEFT JOIN accounts_auditevent event ON event.id = seal.event
    WHERE seal.n <= %s ORDER BY seal.n
"""  # noqa: S608  # nosec B608
# The lowest event of the last links. The highest id may be one that somebody has inserted.
FIRST_LINK = f"""
    SELECT MIN(event), COUNT(*) FROM
    (SELECT event FROM accounts_auditseal ORDER BY n DESC LIMIT {MAX_OUT_OF_ORDER}) AS latest
"""  # noqa: S608  # nosec B608

as_json = json.JSONEncoder(separators=(",", ":")).encode


class ChainLink(NamedTuple):
    """A link of the chain, with its event as a list of COLUMNS; None if the event is missing."""

    n: int
    hash: str
    proof: str
    checkpoint: int | None
    event: list | None


class Verification(NamedTuple):
    """The last valid link of a chain, and the number of the first invalid one with the reason.

    `checkpoint` is the number of a checkpoint that the links name last; None if they name none.
    """

    n: int
    hash: str
    broken: int | None = None
    reason: str = ""
    checkpoint: int | None = None


class NewLink(NamedTuple):
    n: int
    event: int
    hash: str
    checkpoint: int | None


# --- Appending ------------------------------------------------------------------------------


def append_hashes(noted: int = 0) -> int:
    """Append all unhashed events to the chain; return their number. Concurrent calls are safe.

    Each batch ends with a checkpoint; `noted` is the number of those that the file has already.
    """
    with connection.cursor() as cursor:
        cursor.execute(FIRST_LINK)
        lowest, links = cursor.fetchone()
    after, count = lowest if links == MAX_OUT_OF_ORDER else LOWEST_ID, 0
    while batch := _append_batch(after, noted + 1 if settings.AUDIT_CHECKPOINTS else 0):
        last = batch[-1]
        checkpoints.append(last.n, last.hash)
        after, count, noted = last.event, count + len(batch), noted + 1
    return count


def contains(n: int, digest: str) -> bool:
    """Return whether the chain has this link, or had it before it was archived."""
    first = AuditSeal.objects.order_by("n").values_list("n", flat=True).first()
    return AuditSeal.objects.filter(n=n, hash=digest).exists() or bool(first and n < first)


def head() -> tuple[int, str]:
    """Return (n, hash) of the last link."""
    return AuditSeal.objects.order_by("-n").values_list("n", "hash").first() or (0, GENESIS)


def end() -> tuple[int, str, int | None]:
    """Return (n, hash, number of its checkpoint) of the last link.

    The number is 0 where no file of checkpoints was kept, and None where the link does not end a
    run: somebody deleted the links after it, or a release without these numbers made it.
    """
    last = AuditSeal.objects.order_by("-n").values_list("n", "hash", "checkpoint").first()
    return last or (0, GENESIS, 0)


def ends_within_run() -> bool:
    """Return whether links at the end are missing, because the last one does not end a run."""
    return end()[2] is None and AuditSeal.objects.exclude(checkpoint=None).exists()


@atomic_with_retry
def _append_batch(after: int, checkpoint: int) -> list[NewLink]:
    """Append the next events with ids beyond `after`; return their links.

    The last one names the number of its checkpoint.
    """
    lock_chain()
    with connection.cursor() as cursor:
        cursor.execute(UNHASHED_EVENTS, [after])
        events = cursor.fetchall()
        (last, previous), key, links = head(), _keys()[0], []
        for n, event in enumerate(events, last + 1):
            own = checkpoint if n == last + len(events) else None
            previous = _hash(key, previous, n, event, own)
            links.append(NewLink(n, event[0], previous, own))
        _store(cursor, links)
    return links


def lock_chain() -> None:
    """Lock the chain until the end of the transaction. SQLite allows one writer anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK_ID])


def _store(cursor: CursorWrapper, links: list[NewLink]) -> None:
    columns = "n, event, hash, checkpoint, proof"
    if connection.vendor == "postgresql":
        lines = "".join(
            f"{n}\t{event}\t{digest}\t{NULL if number is None else number}\t\n"
            for n, event, digest, number in links
        )
        cursor.copy_expert(f"COPY accounts_auditseal ({columns}) FROM STDIN", StringIO(lines))
    else:
        insert = f"INSERT INTO accounts_auditseal ({columns}) VALUES (%s, %s, %s, %s, '')"  # noqa: S608  # nosec B608
        cursor.executemany(insert, links)


def _hash(key: bytes, previous: str, n: int, event: Sequence, checkpoint: int | None) -> str:
    text = f"{previous} {n} {as_json(normalise(event))}"
    if checkpoint is not None:
        text = f"{text} {checkpoint}"
    return hmac.digest(key, text.encode(), "sha256").hex()


def normalise(event: Sequence) -> list:
    """Convert the time of the event to text, so that both engines and archives are equal."""
    pk, at, *others = event
    if isinstance(at, datetime):
        at = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
    return [pk, at, *others]


def _keys() -> list[bytes]:
    """Return the HMAC keys: that of AUDIT_KEY first, then those of AUDIT_KEY_FALLBACKS."""
    keys = [settings.AUDIT_KEY, *settings.AUDIT_KEY_FALLBACKS]
    return [hmac.digest(key.encode(), b"accounts.seals", "sha256") for key in keys]


# --- Verifying ------------------------------------------------------------------------------


def verify(pairs: Iterable[tuple[int, str]] = ()) -> Verification:
    """Verify the whole chain, and compare it with the (n, hash) pairs of the checkpoints."""
    found = without_statement_timeout(lambda: verify_links(links_of_chain(), pairs))
    if found.broken is None and ends_within_run():
        reason = "It is missing: a run of seal_audit ended later."
        return Verification(found.n, found.hash, found.n + 1, reason)
    return found


def count_unhashed(before: datetime) -> int:
    """Return the number of unhashed events before a time."""
    events = AuditEvent.objects.filter(at__lt=before)
    return events.exclude(pk__in=AuditSeal.objects.exclude(event=None).values("event")).count()


def verify_links(
    links: Iterable[ChainLink],
    pairs: Iterable[tuple[int, str]] = (),
    start: tuple[int, str] = (0, GENESIS),
) -> Verification:
    """Verify links that follow the link `start`, given as (n, hash)."""
    expected, keys = defaultdict(set), _keys()
    for n, digest in pairs:
        expected[n].add(digest)
    (n, previous), number = start, None
    for link in links:
        if fault := _fault(keys, link, n, previous, expected):
            return Verification(n, previous, *fault)
        n, previous = link.n, link.hash
        number = number if link.checkpoint is None else link.checkpoint
    last_expected = max(expected, default=0)
    if last_expected > n:
        reason = f"It is missing; there is a checkpoint of link {last_expected}."
        return Verification(n, previous, n + 1, reason)
    return Verification(n, previous, checkpoint=number)


def _fault(
    keys: list[bytes], link: ChainLink, n: int, previous: str, expected: dict[int, set[str]]
) -> tuple[int, str] | None:
    """Return (number, reason) if the link does not follow the link `n`, else None."""
    if n == 0 and link.proof:
        if not has_valid_hmac(link.n, link.hash, link.proof):
            return link.n, "Its proof of the archived events is invalid."
    elif link.n != n + 1:
        return min(link.n, n + 1), "It is missing or not in order."
    elif link.event is None:
        return link.n, "Its event is missing."
    elif link.proof or not _has_valid_hash(keys, previous, link):
        return link.n, "The event or the hash has been changed."
    if link.n in expected and expected[link.n] != {link.hash}:
        return link.n, "A checkpoint has another hash."
    return None


def _has_valid_hash(keys: list[bytes], previous: str, link: ChainLink) -> bool:
    """Try all keys. The matching key moves to the front, because it fits the next link too."""
    for index, key in enumerate(keys):
        if link.hash == _hash(key, previous, link.n, link.event or [], link.checkpoint):
            keys.insert(0, keys.pop(index))
            return True
    return False


def hmac_of(n: int, digest: str) -> str:
    """Return the proof that the link was archived by the owner of AUDIT_KEY."""
    return _hmac(_keys()[0], n, digest)


def _hmac(key: bytes, n: int, digest: str) -> str:
    return hmac.digest(key, f"archived {n} {digest}".encode(), "sha256").hex()


def has_valid_hmac(n: int, digest: str, proof: str) -> bool:
    return any(hmac.compare_digest(proof, _hmac(key, n, digest)) for key in _keys())


def links_of_chain(up_to: int = END) -> Iterator[ChainLink]:
    """Yield the links of the chain up to number `up_to`."""
    with connection.chunked_cursor() as cursor:
        cursor.execute(CHAIN, [up_to])
        while rows := cursor.fetchmany(BATCH):
            for n, digest, proof, number, *event in rows:
                yield ChainLink(n, digest, proof, number, None if event[0] is None else event)


def without_statement_timeout(work: Callable[[], R]) -> R:
    """Call `work` in a transaction without statement_timeout, for a long-running query."""
    if connection.vendor != "postgresql":  # SQLite has no statement_timeout
        return work()

    def without_limit() -> R:
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
        return work()

    return atomic_with_retry(without_limit)()
