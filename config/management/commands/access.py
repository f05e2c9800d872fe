from django.core.management.base import BaseCommand

from config.access_report import render_report


class Command(BaseCommand):
    help = "Print docs/access.md: who may do what and who sees what, from the code's own tables."
    requires_system_checks = []

    def handle(self, *args, **options):
        self.stdout.write(render_report(), ending="")
