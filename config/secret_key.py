"""The key a machine without configuration signs with."""

import os
import secrets
import tempfile
from pathlib import Path


def load_or_create_key(path):
    """The key kept in `path`, made there once, readable by its owner only."""
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(secrets.token_urlsafe(64))
        try:
            os.link(file.name, path)  # whole or not at all, and the first of two processes wins
        except FileExistsError:
            pass
        finally:
            Path(file.name).unlink()
    return path.read_text().strip()
