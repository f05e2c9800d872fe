from time import sleep

from django.core.management import BaseCommand, CommandError
from django.db import DatabaseError, connection
from django.utils import timezone

from accounts.audit import checkpoints, hash_chain


class Command(BaseCommand):
    help = (
        "Adds the audit events that are not sealed yet to the chain, and notes where it ends. Run "
        "it every minute, or let it go on with --every."
    )

    def add_arguments(self, parser):
        parser.add_argument("--every", type=int, metavar="SECONDS", help="go on, so often")

    def handle(self, *, every, **options):
        while True:
            try:
                self.seal()
            except DatabaseError as error:
                if not every:
                    raise CommandError(f"The database did not answer: {error}") from error
                self.stderr.write(f"The database did not answer: {type(error).__name__}")
            if not every:
                return
            connection.close()
            sleep(every)

    def seal(self):
        noted = checkpoints.load()
        if noted and noted.pairs and not hash_chain.contains(*noted.pairs[-1]):
            n, _ = noted.pairs[-1]
            raise CommandError(
                f"Nothing was sealed: the chain has no seal {n} as it was noted. Run verify_audit."
            )
        sealed, (n, digest) = hash_chain.append_hashes(), hash_chain.head()
        if sealed or (n and noted is None):
            checkpoints.append(n, digest)
        self.stdout.write(f"{timezone.now():%Y-%m-%d %H:%M:%S} {n} {digest} ({sealed} new)")
