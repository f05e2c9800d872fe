from datetime import datetime, time, timedelta
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_date

from accounts.audit import archive
from config.api.fields import is_in_calendar


def date(text):
    day = parse_date(text)
    if day is None or not is_in_calendar(day):
        raise ValueError(text)
    return day


class Command(BaseCommand):
    help = (
        "Moves audit events older than AUDIT_RETENTION_DAYS from the database to a new file, which "
        "verify_audit --archive checks. Run it as the owner of the tables."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--before", type=date, metavar="YYYY-MM-DD", help="instead of AUDIT_RETENTION_DAYS ago"
        )

    def handle(self, *, file, before, **options):
        today = timezone.localdate()
        day = before or today - timedelta(days=settings.AUDIT_RETENTION_DAYS)
        if day > today + timedelta(days=1):
            raise CommandError("The date must not be in the future.")
        if file.exists():
            raise CommandError(f"{file} already exists.")
        try:
            moved = archive.archive(timezone.make_aware(datetime.combine(day, time.min)), file)
        except ValidationError as error:
            raise CommandError(error.messages[0]) from error
        except OSError as error:
            raise CommandError(f"{file} could not be written: {error.strerror}.") from error
        if moved is None:
            self.stdout.write(f"There are no hashed events before {day}.")
        else:
            self.stdout.write(f"Moved everything up to link {moved.n} ({moved.hash}) to {file}.")
