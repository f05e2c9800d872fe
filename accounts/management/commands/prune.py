from django.core.management import BaseCommand, call_command

from accounts import idempotency
from accounts.auth import lockout, sessions


class Command(BaseCommand):
    help = (
        "Deletes idempotency keys older than a day, expired lockouts, sessions that ended thirty "
        "days ago, and expired browser sessions. Run it daily."
    )

    def handle(self, **options):
        keys, counters, ended = idempotency.prune(), lockout.prune(), sessions.prune()
        call_command("clearsessions")
        self.stdout.write(
            f"Deleted {keys} key(s), {counters} count(s) of failed sign-ins and {ended} session(s)."
        )
