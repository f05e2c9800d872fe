from django.core.management import BaseCommand, call_command

from accounts import idempotency
from accounts.auth import lockout, sessions


class Command(BaseCommand):
    help = (
        "Deletes idempotency keys older than a day, lockouts that are over, sessions over for "
        "thirty days, and the sessions of browsers that have expired. Run it daily."
    )

    def handle(self, **options):
        keys, counters, over = idempotency.prune(), lockout.prune(), sessions.prune()
        call_command("clearsessions")
        self.stdout.write(
            f"Deleted {keys} key(s), {counters} count(s) of failed sign-ins and {over} session(s)."
        )
