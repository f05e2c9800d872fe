"""A file outside the database that records the end of the hash chain over time.

Each line has the time, the number of the last link and its hash. Whoever can change the database
should not be able to change the file: use append-only storage or another machine.
"""

import re
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

LINE = re.compile(r"\S+ (\d{1,18}) ([0-9a-f]{64})")


class Checkpoints(NamedTuple):
    """The (n, hash) pairs of the file in order, and the number of unreadable lines."""

    pairs: list
    unreadable: int


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
        lines = Path(settings.AUDIT_CHECKPOINTS).read_text().splitlines()
    except FileNotFoundError:
        return None
    matches = [LINE.fullmatch(line) for line in lines]
    pairs = [(int(one[1]), one[2]) for one in matches if one]
    return Checkpoints(pairs, len(lines) - len(pairs))
