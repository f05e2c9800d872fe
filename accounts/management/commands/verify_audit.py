from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from accounts.audit import archive, checkpoints, hash_chain
from accounts.models import AuditEvent

HASHED_WITHIN = timedelta(hours=1)


class Command(BaseCommand):
    help = (
        "Verifies the hash chain of the audit and compares it with the checkpoints. Reports the "
        "first invalid link, or checkpoints that are missing or unreadable, and exits with 1."
    )

    def add_arguments(self, parser):
        parser.add_argument("--archive", type=Path, help="verify a file of archive_audit instead")

    def handle(self, *, archive, **options):
        if archive:
            self.report(self.verify_archive(archive))
            return
        pairs, _unreadable = self.checkpoints() or ([], 0)
        verification = hash_chain.verify(pairs)
        self.report(verification)
        n, digest, number = verification.n, verification.hash, verification.checkpoint
        if fault := checkpoints.fault(self.checkpoints(), n, digest, number):
            raise CommandError(fault)
        self.stdout.write(f"Checkpoints compared: {len(pairs)}.")
        if begun := AuditEvent.objects.filter(event=hash_chain.NEW_CHECKPOINTS).count():
            self.stdout.write(f"New files of checkpoints: {begun}. Compare the older files too.")
        now = timezone.now()
        if late := hash_chain.count_unhashed(before=now - HASHED_WITHIN):
            raise CommandError(f"Events that have not been hashed for an hour or more: {late}.")
        self.stdout.write(
            f"Events that are not hashed yet: {hash_chain.count_unhashed(before=now)}."
        )

    def checkpoints(self):
        try:
            with checkpoints.locked():
                return checkpoints.load()
        except OSError as error:
            raise CommandError(f"The checkpoints cannot be read: {error.strerror}.") from error

    def report(self, verification):
        if verification.broken is not None:
            raise CommandError(f"Link {verification.broken} is invalid. {verification.reason}")
        self.stdout.write(f"Valid up to link {verification.n} ({verification.hash}).")

    def verify_archive(self, path):
        try:
            return archive.check_archive(path)
        except (OSError, ValidationError) as error:
            raise CommandError(getattr(error, "messages", [str(error)])[0]) from error
