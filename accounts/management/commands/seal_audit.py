from time import sleep

from django.core.management import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from accounts.audit import checkpoints, hash_chain


class Command(BaseCommand):
    help = (
        "Appends unhashed audit events to the hash chain, and writes a checkpoint. Run it every "
        "minute, or keep it running with --every."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--every", type=int, metavar="SECONDS", help="keep running, at this interval"
        )

    def handle(self, *, every, **options):
        while True:
            try:
                self.append()
            except DatabaseError as error:
                if not every:
                    raise CommandError(f"The database did not answer: {error}") from error
                self.stderr.write(f"The database did not answer: {type(error).__name__}")
            if not every:
                return
            connection.close()
            sleep(every)

    def append(self):
        known = checkpoints.load()
        if known and known.pairs and not hash_chain.contains(*known.pairs[-1]):
            n, _ = known.pairs[-1]
            raise CommandError(
                f"Nothing was hashed: link {n} of the last checkpoint is missing. Run verify_audit."
            )
        count, (n, digest) = hash_chain.append_hashes(), hash_chain.head()
        if count or (n and known is None):
            checkpoints.append(n, digest)
        self.stdout.write(f"{timezone.now():%Y-%m-%d %H:%M:%S} {n} {digest} ({count} new)")
