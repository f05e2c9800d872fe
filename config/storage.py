"""Where uploaded files lie."""

from django.core.files.storage import FileSystemStorage


class WholeFiles(FileSystemStorage):
    """A file that could not be written to its end leaves no piece: on a full disk, pieces of what
    was refused would take the last room there is.

    Relies on names nobody else writes to (accounts.models.people.avatar_path).
    """

    def _save(self, name, content):
        try:
            return super()._save(name, content)
        except OSError:
            self.delete(name)
            raise
