"""Where the chain over the audit had got to, and when: a file outside the database.

Each line is the moment, the number of the last seal and its hash. It is worth the more, the harder
it is to reach for whoever reaches the database: a disk that only takes appends, another machine.
"""

import re
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.utils import timezone

LINE = re.compile(r"\S+ (\d{1,18}) ([0-9a-f]{64})")


class Checkpoints(NamedTuple):
    """The (n, hash) pairs of the file, in its order, and how many lines cannot be read."""

    pairs: list
    unreadable: int


def append(n, digest):
    """Add a line, where AUDIT_CHECKPOINTS names a file."""
    if settings.AUDIT_CHECKPOINTS:
        with Path(settings.AUDIT_CHECKPOINTS).open("a") as file:
            file.write(f"{timezone.now().isoformat(timespec='seconds')} {n} {digest}\n")


def load():
    """What the file says; None where there is none, though AUDIT_CHECKPOINTS names one."""
    if not settings.AUDIT_CHECKPOINTS:
        return Checkpoints([], 0)
    try:
        lines = Path(settings.AUDIT_CHECKPOINTS).read_text().splitlines()
    except FileNotFoundError:
        return None
    found = [LINE.fullmatch(line) for line in lines]
    pairs = [(int(one[1]), one[2]) for one in found if one]
    return Checkpoints(pairs, len(lines) - len(pairs))
