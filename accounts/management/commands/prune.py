from django.core.management import BaseCommand

from accounts import idempotency


class Command(BaseCommand):
    help = "Deletes idempotency keys older than a day. Run it daily."

    def handle(self, **options):
        self.stdout.write(f"Deleted {idempotency.prune()} key(s).")
