"""Moves old audit events with their hashes to a file, which can still be verified."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Min
from django.utils.translation import gettext as _

from accounts.audit import append_only
from accounts.audit import log as audit
from accounts.audit.hash_chain import (
    COLUMNS,
    GENESIS,
    ChainLink,
    Verification,
    as_json,
    has_valid_hmac,
    hmac_of,
    links_of_chain,
    lock_chain,
    normalise,
    verify_links,
    without_statement_timeout,
)
from accounts.models import Action, AuditEvent, AuditSeal
from config.db.transactions import atomic_with_retry
from config.files import create_private_file

CHUNK_SIZE = 20_000  # events deleted per transaction; audit writes wait while it runs


def archive(before: datetime, path: Path) -> Verification | None:
    """Move the hashed events up to the first one that is not older than `before` to a file.

    Returns the Verification of the moved events, or None if no event is old enough. Raises a
    ValidationError if the chain is broken. Only the owner of the tables may do this, because the
    triggers are dropped meanwhile. The file is complete before any event is deleted, and it stays
    if the deletion fails.
    """
    last = _last_before(before)
    if last is None:
        return None
    moved = without_statement_timeout(lambda: _export(path, last))
    first = AuditSeal.objects.earliest("n").n
    for n in [*range(first + CHUNK_SIZE, last, CHUNK_SIZE), last]:
        _delete_through(n, is_last=n == last)
    return moved


def check_archive(path: Path) -> Verification:
    """Verify a file of `archive`; raises a ValidationError if the file is incomplete."""
    try:
        with path.open() as file:
            return _check_lines(file)
    except (ValueError, KeyError, TypeError) as error:
        raise ValidationError(_("%(path)s is not a complete archive.") % {"path": path}) from error


def _last_before(moment: datetime) -> int | None:
    """Return the number of the last link before the first event at or after `moment`."""
    later = AuditEvent.objects.filter(at__gte=moment).values("pk")
    first_later = AuditSeal.objects.filter(event__in=later).aggregate(n=Min("n"))["n"]
    links = AuditSeal.objects.exclude(event=None)
    if first_later:
        links = links.filter(n__lt=first_later)
    return links.order_by("-n").values_list("n", flat=True).first()


def _export(path: Path, last: int) -> Verification:
    """Write the links up to `last`, between a header and a footer that have proofs (HMACs)."""
    first = AuditSeal.objects.earliest("n")
    after: dict[str, object] = {"after": [0, GENESIS], "proof": ""}
    if first.proof:
        after = {"after": [first.n, first.hash], "proof": first.proof}
    with create_private_file(path, "w") as file:
        file.write(as_json(after | {"columns": COLUMNS}) + "\n")
        moved = verify_links(_copied(links_of_chain(last), file))
        _require_intact(moved)
        footer = {"end": [moved.n, moved.hash], "proof": hmac_of(moved.n, moved.hash)}
        file.write(as_json(footer) + "\n")
    return moved


def _require_intact(verification: Verification) -> None:
    if verification.broken is not None:
        sentence = _("Link %(number)d of the audit is invalid. %(reason)s") % {
            "number": verification.broken,
            "reason": verification.reason,
        }
        raise ValidationError(sentence, code="broken_chain")


def _copied(links: Iterable[ChainLink], file: IO[str]) -> Iterator[ChainLink]:
    """Yield the links, and write those with an event to the file."""
    for link in links:
        if link.event is not None:
            line = {"n": link.n, "hash": link.hash, "event": normalise(link.event)}
            if link.checkpoint is not None:
                line["checkpoint"] = link.checkpoint
            file.write(as_json(line) + "\n")
        yield link


@atomic_with_retry
def _delete_through(n: int, *, is_last: bool) -> None:
    """Delete the events up to link `n`, which then represents them with a proof."""
    lock_chain()
    digest = AuditSeal.objects.values_list("hash", flat=True).get(n=n)
    with append_only.triggers_disabled(connection), connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM accounts_auditevent WHERE id IN"
            " (SELECT event FROM accounts_auditseal WHERE n <= %s)",
            [n],
        )
        cursor.execute("DELETE FROM accounts_auditseal WHERE n < %s", [n])
        AuditSeal.objects.filter(n=n).update(event=None, proof=hmac_of(n, digest))
    if is_last:
        audit.record_change("audit.archive", action=Action.DELETE)


def _check_lines(file: IO[str]) -> Verification:
    header = json.loads(file.readline())
    n, previous = header["after"]
    if n and not has_valid_hmac(n, previous, header["proof"]):
        return Verification(n, previous, n, "The proof of the earlier links is invalid.")
    footer: dict[str, Any] = {}
    found = verify_links(_links_of(file, footer), start=(n, previous))
    if found.broken is None and footer["end"] != [found.n, found.hash]:
        return Verification(found.n, found.hash, found.n + 1, "It is missing.")
    if found.broken is None and not has_valid_hmac(found.n, found.hash, footer["proof"]):
        return Verification(found.n, found.hash, found.n, "The proof of the last link is invalid.")
    return found


def _links_of(file: IO[str], footer: dict[str, Any]) -> Iterator[ChainLink]:
    """Yield the links of an archive; the last line is put into the dict `footer`."""
    for text in file:
        line = json.loads(text)
        if "end" in line:
            footer |= line
            return
        yield ChainLink(line["n"], line["hash"], "", line.get("checkpoint"), line["event"])
