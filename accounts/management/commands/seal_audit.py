from time import sleep

from django.core.management import BaseCommand
from django.db import connection
from django.utils import timezone

from accounts import checkpoints, seals


class Command(BaseCommand):
    help = (
        "Adds the audit events that are not sealed yet to the chain, and notes where it ends. Run "
        "it every minute, or let it go on with --every."
    )

    def add_arguments(self, parser):
        parser.add_argument("--every", type=int, metavar="SECONDS", help="go on, so often")

    def handle(self, *, every, **options):
        while True:
            sealed, (n, digest) = seals.seal(), seals.end()
            if sealed:
                checkpoints.note(n, digest)
            self.stdout.write(f"{timezone.now():%Y-%m-%d %H:%M:%S} {n} {digest} ({sealed} new)")
            if not every:
                return
            connection.close()
            sleep(every)
