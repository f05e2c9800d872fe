"""Writes RESULTS.md: one section per benchmark, replaced by each run."""

import os
import platform
import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from verification.server import ROOT

TITLE = """\
# Results

`make bench` writes this file; [README.md](README.md) explains the figures. Absolute figures do not
repeat on other machines; ratios within a table repeat to about a quarter. Instructions repeat
within 2 %, and CPU per request is the steadiest of the other figures.
"""


def write(path, heading, *paragraphs):
    """Replaces the section with this heading, or appends it."""
    path = Path(path)
    text = path.read_text() if path.exists() else TITLE
    sections = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    begins = f"## {heading}\n"
    places = (place for place, one in enumerate(sections) if one.startswith(begins))
    place = next(places, len(sections))
    sections[place : place + 1] = ["\n\n".join([begins.strip(), *paragraphs])]
    path.write_text("\n\n".join(one.strip() for one in sections) + "\n")


def circumstances(*details):
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    processor = found[1] if found else platform.machine()
    machine = f"{os.cpu_count()} cores of {processor}, {platform.system()} {platform.release()}"
    told = [
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}",
        f"{machine}, CPython {platform.python_version()}",
        *details,
    ]
    return "\n".join(f"- {line}" for line in told)


def _commit():
    """Returns the measured commit, with `-dirty` if files other than RESULTS.md differ."""
    commit = _git("rev-parse", "--short", "HEAD").stdout.strip()
    others = ["--", ".", ":(exclude)benchmarks/RESULTS.md"]
    is_changed = commit and _git("diff", "--quiet", "HEAD", *others).returncode
    return f"{commit or 'unknown'}{'-dirty' if is_changed else ''}"


def _git(*command):
    return subprocess.run(  # noqa: S603
        ["git", *command],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
