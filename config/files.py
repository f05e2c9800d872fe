"""Private files and file storage that leave no partial file behind."""

import os
from contextlib import contextmanager

from django.core.files.storage import FileSystemStorage


@contextmanager
def create_private_file(path, mode):
    """Create a file that only its owner may read; it is deleted if the block fails.

    Raises FileExistsError if the path exists.
    """
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, mode) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise


class AtomicFileSystemStorage(FileSystemStorage):
    """Deletes a partially written file when saving fails, so that a full disk gets no fuller.

    File names must be unique (accounts.models.avatar_path).
    """

    def save(self, name, content, max_length=None):
        name = self.get_available_name(name, max_length=max_length)
        try:
            return super().save(name, content, max_length=max_length)
        except OSError:
            self.delete(name)
            raise
