"""The audit is kept short: what need not be kept any more moves to a file, with its seals."""

import json

from django.core.exceptions import ValidationError
from django.db import connection

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
from accounts.models import Action, AuditSeal
from config.db.transactions import atomic_with_retry
from config.files import create_private_file

CHUNK_SIZE = 20_000  # events taken out in one transaction, for which those who write events wait


def archive(before, path):
    """Move what was sealed, up to the first event that is not from before that moment, to a file.

    Gives the Checked end of it, None where nothing is that old; a ValidationError where the chain
    does not hold. Only the owner of the tables can do so: the triggers are lifted meanwhile. The
    file is whole before anything is taken out, and stays whatever comes then.
    """
    last = _last_before(before)
    if last is None:
        return None
    moved = without_statement_timeout(lambda: _export(path, last))
    first = AuditSeal.objects.order_by("n").values_list("n", flat=True).first()
    for n in [*range(first + CHUNK_SIZE, last, CHUNK_SIZE), last]:
        _delete_through(n, is_last=n == last)
    return moved


def check_archive(path):
    """Check a file that `archive` wrote; a ValidationError where it is none, or not all of one."""
    try:
        with path.open() as file:
            return _check_lines(file)
    except (ValueError, KeyError, TypeError) as error:
        raise ValidationError(f"{path} is no archive of ours, or not all of it.") from error


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
    """Write the chain up to that seal: head, events, foot; the two with proof of what they say."""
    first = AuditSeal.objects.order_by("n").first()
    after = {"after": [0, GENESIS], "proof": ""}
    if first.proof:
        after = {"after": [first.n, first.hash], "proof": first.proof}
    with create_private_file(path, "w") as file:
        file.write(as_json(after | {"columns": COLUMNS}) + "\n")
        moved = verify_links(_copied(links_of_chain(last), file))
        _check_intact(moved)
        end = {"end": [moved.n, moved.hash], "proof": hmac_of(moved.n, moved.hash)}
        file.write(as_json(end) + "\n")
    return moved


def _check_intact(checked):
    if checked.broken is not None:
        sentence = f"Seal {checked.broken} does not hold. {checked.why}"
        raise ValidationError(sentence, code="broken_chain")


def _copied(links, file):
    for link in links:
        if link.event is not None:
            one = {"n": link.n, "hash": link.hash, "event": normalise(link.event)}
            file.write(as_json(one) + "\n")
        yield link


@atomic_with_retry
def _delete_through(n, *, is_last):
    """Delete the events up to seal `n`, which from then on stands for them."""
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


def _check_lines(file):
    head = json.loads(file.readline())
    n, previous = head["after"]
    if n and not has_valid_hmac(n, previous, head["proof"]):
        return Verification(n, previous, n, "What came before this archive is not proven.")
    foot = {}
    checked = verify_links(_links_of(file, foot), start=(n, previous))
    if checked.broken is None and foot["end"] != [checked.n, checked.hash]:
        return Verification(checked.n, checked.hash, checked.n + 1, "It is missing.")
    if checked.broken is None and not has_valid_hmac(*foot["end"], foot["proof"]):
        return Verification(checked.n, checked.hash, checked.n, "It is not proven to be the last.")
    return checked


def _links_of(file, foot):
    """The links of an archive; its last line goes into `foot`."""
    for line in file:
        one = json.loads(line)
        if "end" in one:
            foot |= one
            return
        yield ChainLink(one["n"], one["hash"], "", one["event"])
