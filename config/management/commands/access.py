from django.core.management.base import BaseCommand

from config.access import page


class Command(BaseCommand):
    help = "Print docs/access.md: who may do what and who sees what, from the code's own tables."
    requires_system_checks = []

    def handle(self, *args, **options):
        self.stdout.write(page(), ending="")
