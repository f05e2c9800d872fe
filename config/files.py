"""Private files and file storage that leave no partial file behind."""

import os
from contextlib import contextmanager

from django.core.files.storage import FileSystemStorage


@contextmanager
def create_private_file(path, mode):
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


class AtomicFileSystemStorage(FileSystemStorage):
    """A file that could not be written to its end leaves no piece: on a full disk, pieces of what
    was refused would take the last room there is.

    Relies on names nobody else writes to (accounts.models.people.avatar_path).
    """

    def save(self, name, content, max_length=None):
        name = self.get_available_name(name, max_length=max_length)
        try:
            return super().save(name, content, max_length=max_length)
        except OSError:
            self.delete(name)
            raise
