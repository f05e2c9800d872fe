"""Files that are written by commands, and hold what is for few to read."""

import os
from contextlib import contextmanager


@contextmanager
def new_file(path, mode):
    """A file that only its owner may read: there whole, or not at all.

    FileExistsError where there is something at that path.
    """
    number = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(number, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
