from django.core.management import BaseCommand

from accounts import idempotency, lockout


class Command(BaseCommand):
    help = "Deletes idempotency keys older than a day and lockouts that are over. Run it daily."

    def handle(self, **options):
        keys, counters = idempotency.prune(), lockout.prune()
        self.stdout.write(f"Deleted {keys} key(s) and {counters} count(s) of failed sign-ins.")
