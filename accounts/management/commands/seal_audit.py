from pathlib import Path
from time import sleep

from django.conf import settings
from django.core.management import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from accounts.audit import checkpoints, hash_chain
from accounts.audit import log as audit
from accounts.models import Action


class Command(BaseCommand):
    help = (
        "Appends unhashed audit events to the hash chain, and writes a checkpoint. Run it every "
        "minute, or keep it running with --every."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--every", type=int, metavar="SECONDS", help="keep running, at this interval"
        )
        parser.add_argument(
            "--new-checkpoints",
            action="store_true",
            help=(
                "start a new file of checkpoints, after the old one was lost or moved away; the "
                "audit records this"
            ),
        )

    def handle(self, *, every, new_checkpoints, **options):
        if new_checkpoints:
            self.start_checkpoints()
        while True:
            try:
                self.append()
            except DatabaseError as error:
                if not every:
                    raise CommandError(f"The database did not answer: {error}") from error
                self.stderr.write(f"The database did not answer: {type(error).__name__}")
            except OSError as error:
                raise CommandError(f"The checkpoints failed: {error.strerror}.") from error
            if not every:
                return
            connection.close()
            sleep(every)

    def append(self):
        with checkpoints.locked():
            known = checkpoints.load()
            if fault := self.fault(known):
                raise CommandError(
                    f"Nothing was hashed: {fault} Run verify_audit. If the file of checkpoints was "
                    "lost or damaged, move it away, keep it, and run seal_audit --new-checkpoints."
                )
            count = hash_chain.append_hashes(known.total if known else 0)
        n, digest = hash_chain.head()
        self.stdout.write(f"{timezone.now():%Y-%m-%d %H:%M:%S} {n} {digest} ({count} new)")

    def fault(self, known):
        """Return why the chain must not be continued, or an empty text."""
        if known and known.pairs:
            last = max(known.pairs)
            if not hash_chain.contains(*last):
                return f"link {last[0]} of the last checkpoint is missing."
        n, digest, number = hash_chain.end()
        if hash_chain.ends_within_run():
            return f"the links after {n} are missing, because an earlier run ended later."
        return checkpoints.fault(known, n, digest, number)

    def start_checkpoints(self):
        """Start a new file, whose first checkpoint covers the event that says so."""
        if not settings.AUDIT_CHECKPOINTS:
            raise CommandError("AUDIT_CHECKPOINTS names no file.")
        if Path(settings.AUDIT_CHECKPOINTS).exists():
            raise CommandError(f"Move {settings.AUDIT_CHECKPOINTS} away first, and keep it.")
        audit.record_change(hash_chain.NEW_CHECKPOINTS, action=Action.CREATE)
        hash_chain.append_hashes()
