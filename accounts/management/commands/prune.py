from django.core.cache import caches
from django.core.management import BaseCommand, call_command

from accounts import email_addresses, idempotency
from accounts.auth import lockout, sessions
from accounts.messages import outbox
from accounts.models import User
from config.cache import FailOpenFileCache


class Command(BaseCommand):
    help = (
        "Deletes idempotency keys older than a day, expired lockouts, sessions that ended thirty "
        "days ago, expired browser sessions and letters that were delivered thirty days ago. Frees "
        "e-mail addresses that nobody has confirmed for seven days. Run it daily."
    )

    def handle(self, **options):
        keys, counters, ended = idempotency.prune(), lockout.prune(), sessions.prune()
        letters, addresses = outbox.prune(), email_addresses.release_unproven()
        User.objects.fill_search_text()
        call_command("clearsessions")
        if isinstance(caches["default"], FailOpenFileCache):  # each write lists the whole folder
            caches["default"].clear()
        self.stdout.write(
            f"Deleted {keys} key(s), {counters} count(s) of failed sign-ins, {ended} session(s) "
            f"and {letters} letter(s). Freed {addresses} e-mail address(es)."
        )
