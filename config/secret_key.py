"""Generates a secret key for a machine without configuration."""

import os
import secrets
import tempfile
from pathlib import Path


def load_or_create_key(path):
    """Return the key in the file `path`; create the file, readable by its owner only, if needed."""
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            file.write(secrets.token_urlsafe(64))
        try:
            os.link(file.name, path)  # atomic; of two processes, the first one wins
        except FileExistsError:
            pass
        finally:
            Path(file.name).unlink()
    return path.read_text().strip()
