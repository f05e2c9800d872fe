import signal
from threading import Event

from django.core.management import BaseCommand

from config.worker import work, work_until


class Command(BaseCommand):
    help = (
        "Does the background work, such as delivering letters, until it is stopped. Several may "
        "run at once."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "--once", action="store_true", help="Stop when there is nothing left to do (for cron)."
        )

    def handle(self, *, once, **options):
        if once:
            while work():
                pass
            return
        stop = Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())  # the current unit of work is finished
        work_until(stop)
