from django.core.cache import caches
from django.core.management import BaseCommand, call_command

from accounts import idempotency
from accounts.auth import lockout, sessions
from config.cache import FailOpenFileCache


class Command(BaseCommand):
    help = (
        "Deletes idempotency keys older than a day, expired lockouts, sessions that ended thirty "
        "days ago, and expired browser sessions. Run it daily."
    )

    def handle(self, **options):
        keys, counters, ended = idempotency.prune(), lockout.prune(), sessions.prune()
        call_command("clearsessions")
        if isinstance(caches["default"], FailOpenFileCache):  # each write lists the whole folder
            caches["default"].clear()
        self.stdout.write(
            f"Deleted {keys} key(s), {counters} count(s) of failed sign-ins and {ended} session(s)."
        )
