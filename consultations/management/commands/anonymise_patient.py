import sys

from django.core.management import BaseCommand, CommandError

from accounts.services import is_anonymised
from consultations.management.lookups import get_admin, get_patient
from patients.services import anonymise


class Command(BaseCommand):
    help = (
        "Closes a patient's record for good and takes out of it what says whose it was. What was "
        "found and done stays, under the number. There is no way back."
    )

    def add_arguments(self, parser):
        parser.add_argument("patient", type=int, help="the patient's number")
        parser.add_argument(
            "--by", metavar="USERNAME", required=True, help="the administrator who decided it"
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *, patient, by, yes, **options):
        patient, by = get_patient(patient), get_admin(by)
        if is_anonymised(patient):
            self.stdout.write(f"Patient {patient.pk} is anonymous already.")
            return
        if not (yes or self.is_sure(patient)):
            raise CommandError("Nothing was changed.")
        anonymise(patient, by=by)
        self.stdout.write(f"Patient {patient.pk} is anonymous now.")

    def is_sure(self, patient):
        self.stdout.write(
            f"This takes the name of {patient.full_name} out of record {patient.pk}, for ever. "
            f"Type {patient.pk} to go on:"
        )
        self.stdout.flush()
        return sys.stdin.readline().strip() == str(patient.pk)
