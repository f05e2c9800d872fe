from django.core.management.base import BaseCommand

from config.access_report import render_report


class Command(BaseCommand):
    help = "Print docs/access.md: the permissions and the visibility of records."
    requires_system_checks = []

    def handle(self, *args, **options):
        self.stdout.write(render_report(), ending="")
