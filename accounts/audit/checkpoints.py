"""A file outside the database that records the end of the hash chain over time.

Each line has the time, the number of the last link and its hash. Whoever can change the database
should not be able to change the file: use append-only storage or another machine.

The chain says how many lines there must be: its last link names the number of its own checkpoint,
under a hash that nobody makes without AUDIT_KEY. Whoever empties or shortens the file is noticed.
"""

import fcntl
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

LINE = re.compile(r"\S+ (\d{1,18}) ([0-9a-f]{64})")


class Checkpoints(NamedTuple):
    """The (n, hash) pairs of the file in order, and the number of unreadable lines."""

    pairs: list[tuple[int, str]]
    unreadable: int

    @property
    def total(self) -> int:
        """The number of different checkpoints. Two runs at the same time may note the same one."""
        return len(set(self.pairs))


@contextmanager
def locked() -> Iterator[None]:
    """Lock the file, if there is one: a run hashes and notes its checkpoint before others read."""
    if not (settings.AUDIT_CHECKPOINTS and Path(settings.AUDIT_CHECKPOINTS).exists()):
        yield
        return
    with Path(settings.AUDIT_CHECKPOINTS).open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def append(n: int, digest: str) -> None:
    """Append a line, if AUDIT_CHECKPOINTS is set."""
    if settings.AUDIT_CHECKPOINTS:
        with Path(settings.AUDIT_CHECKPOINTS).open("a") as file:
            file.write(f"{timezone.now().isoformat(timespec='seconds')} {n} {digest}\n")


def load() -> Checkpoints | None:
    """Read the file; return None if AUDIT_CHECKPOINTS is set but the file does not exist."""
    if not settings.AUDIT_CHECKPOINTS:
        return Checkpoints([], 0)
    try:
        lines = Path(settings.AUDIT_CHECKPOINTS).read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return None
    matches = [LINE.fullmatch(line) for line in lines]
    pairs = [(int(one[1]), one[2]) for one in matches if one]
    return Checkpoints(pairs, len(lines) - len(pairs))


def fault(known: Checkpoints | None, n: int, digest: str, number: int | None) -> str:
    """Return why the file does not fit the chain, or an empty text.

    The chain ends with link `n`, and `number` is the last number of a checkpoint that it names.
    Links that an earlier release made name no number; they demand one checkpoint.
    """
    if known is None:
        return "The file of AUDIT_CHECKPOINTS is missing." if n else ""
    if known.unreadable:
        return f"Unreadable checkpoints: {known.unreadable}."
    demanded = number or int(bool(n and settings.AUDIT_CHECKPOINTS))
    if known.total < demanded:
        return f"The chain demands {demanded} checkpoint(s) or more; there are {known.total}."
    if number and (n, digest) not in known.pairs:
        return f"The checkpoint of link {n} is missing."
    return ""
