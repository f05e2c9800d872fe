from datetime import timedelta
from pathlib import Path

from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError
from django.utils import timezone

from accounts.audit import archive, checkpoints, hash_chain

HASHED_WITHIN = timedelta(hours=1)


class Command(BaseCommand):
    help = (
        "Verifies the hash chain of the audit and compares it with the checkpoints. Reports the "
        "first invalid link and exits with 1."
    )

    def add_arguments(self, parser):
        parser.add_argument("--archive", type=Path, help="verify a file of archive_audit instead")

    def handle(self, *, archive, **options):
        if archive:
            self.report(self.verify_archive(archive))
            return
        known = checkpoints.load()
        if known is None and hash_chain.head()[0]:
            raise CommandError("The file of AUDIT_CHECKPOINTS is missing.")
        pairs, unreadable = known or ([], 0)
        self.report(hash_chain.verify(pairs))
        self.stdout.write(f"Checkpoints compared: {len(pairs)}.")
        if unreadable:
            self.stderr.write(f"Unreadable checkpoints: {unreadable}.")
        now = timezone.now()
        if late := hash_chain.count_unhashed(before=now - HASHED_WITHIN):
            raise CommandError(f"Events that have not been hashed for an hour or more: {late}.")
        self.stdout.write(
            f"Events that are not hashed yet: {hash_chain.count_unhashed(before=now)}."
        )

    def report(self, verification):
        if verification.broken is not None:
            raise CommandError(f"Link {verification.broken} is invalid. {verification.reason}")
        self.stdout.write(f"Valid up to link {verification.n} ({verification.hash}).")

    def verify_archive(self, path):
        try:
            return archive.check_archive(path)
        except (OSError, ValidationError) as error:
            raise CommandError(getattr(error, "messages", [str(error)])[0]) from error
