from pathlib import Path

from django.core.management import BaseCommand, CommandError

from accounts import checkpoints, seals


class Command(BaseCommand):
    help = (
        "Checks every seal of the audit, and the noted ends of the chain; says which is the first "
        "that does not hold, and exits with 1."
    )

    def add_arguments(self, parser):
        parser.add_argument("--archive", type=Path, help="a file of archive_audit, instead")

    def handle(self, *, archive, **options):
        checked = seals.check_archive(archive) if archive else seals.verify(self.noted())
        if checked.broken is not None:
            raise CommandError(f"Seal {checked.broken} does not hold. {checked.why}")
        self.stdout.write(f"Whole, up to seal {checked.n} ({checked.hash}).")
        if not archive:
            self.stdout.write(f"Events that are not sealed yet: {seals.unsealed()}.")

    def noted(self):
        try:
            return checkpoints.noted()
        except ValueError as error:
            raise CommandError(str(error)) from error
