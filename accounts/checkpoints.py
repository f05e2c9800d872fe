"""Where the chain over the audit had got to, and when: a file outside the database.

Each line is the moment, the number of the last seal and its hash. It is worth the more, the harder
it is to reach for whoever reaches the database: a disk that only takes appends, another machine.
"""

import re
from pathlib import Path

from django.conf import settings
from django.utils import timezone

LINE = re.compile(r"\S+ (\d{1,18}) ([0-9a-f]{64})")


def note(n, digest):
    """Add a line, where AUDIT_CHECKPOINTS names a file."""
    if settings.AUDIT_CHECKPOINTS:
        with Path(settings.AUDIT_CHECKPOINTS).open("a") as file:
            file.write(f"{timezone.now().isoformat(timespec='seconds')} {n} {digest}\n")


def noted():
    """The (n, hash) pairs of the file; none where there is no file. ValueError for a bad line."""
    if not settings.AUDIT_CHECKPOINTS or not Path(settings.AUDIT_CHECKPOINTS).exists():
        return []
    return [_read(line) for line in Path(settings.AUDIT_CHECKPOINTS).read_text().splitlines()]


def _read(line):
    found = LINE.fullmatch(line)
    if found is None:
        raise ValueError(f"Not a checkpoint: {line!r}")
    return int(found[1]), found[2]
