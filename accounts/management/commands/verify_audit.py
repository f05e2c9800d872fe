from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from accounts.audit import archive, checkpoints, hash_chain

SEALED_WITHIN = timedelta(hours=1)


class Command(BaseCommand):
    help = (
        "Checks every seal of the audit, and the noted ends of the chain; says which is the first "
        "that does not hold, and exits with 1."
    )

    def add_arguments(self, parser):
        parser.add_argument("--archive", type=Path, help="a file of archive_audit, instead")

    def handle(self, *, archive, **options):
        if archive:
            self.tell(self.of_archive(archive))
            return
        noted = checkpoints.load()
        if noted is None and hash_chain.head()[0]:
            raise CommandError("The file of AUDIT_CHECKPOINTS is gone.")
        pairs, unreadable = noted or ([], 0)
        self.tell(hash_chain.verify(pairs))
        self.stdout.write(f"Checkpoints compared: {len(pairs)}.")
        if unreadable:
            self.stderr.write(f"Checkpoints that cannot be read: {unreadable}.")
        now = timezone.now()
        if late := hash_chain.count_unhashed(before=now - SEALED_WITHIN):
            raise CommandError(f"Events that nobody has sealed for an hour or more: {late}.")
        self.stdout.write(
            f"Events that are not sealed yet: {hash_chain.count_unhashed(before=now)}."
        )

    def tell(self, checked):
        if checked.broken is not None:
            raise CommandError(f"Seal {checked.broken} does not hold. {checked.why}")
        self.stdout.write(f"Whole, up to seal {checked.n} ({checked.hash}).")

    def of_archive(self, path):
        try:
            return archive.check_archive(path)
        except (OSError, ValidationError) as error:
            raise CommandError(getattr(error, "messages", [str(error)])[0]) from error
