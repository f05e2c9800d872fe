import sys

from django.core.management import BaseCommand, CommandError

from accounts.closing import is_anonymised
from consultations.management.lookups import get_admin, get_patient
from patients.services import anonymise


class Command(BaseCommand):
    help = (
        "Closes a patient's record and removes what identifies the patient. Clinical data stays, "
        "under the patient's number. This cannot be undone."
    )

    def add_arguments(self, parser):
        parser.add_argument("patient", type=int, help="the patient's number")
        parser.add_argument(
            "--by",
            metavar="USERNAME",
            required=True,
            help="the administrator who decided to do this",
        )
        parser.add_argument("--yes", action="store_true", help="do not ask")

    def handle(self, *, patient, by, yes, **options):
        patient, by = get_patient(patient), get_admin(by)
        if is_anonymised(patient):
            self.stdout.write(f"Patient {patient.pk} is already anonymous.")
            return
        if not (yes or self.confirm(patient)):
            raise CommandError("Nothing was changed.")
        anonymise(patient, by=by)
        self.stdout.write(f"Patient {patient.pk} is anonymous now.")

    def confirm(self, patient):
        self.stdout.write(
            f"This removes the name of {patient.full_name} from record {patient.pk} and cannot be "
            f"undone. Type {patient.pk} to continue:"
        )
        self.stdout.flush()
        return sys.stdin.readline().strip() == str(patient.pk)
