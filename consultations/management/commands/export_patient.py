from pathlib import Path

from django.core.management import BaseCommand, CommandError

from consultations.management.lookups import get_admin, get_patient
from consultations.patient_export import export


class Command(BaseCommand):
    help = (
        "Writes all data of one patient to a new archive: the clinic's copy, with private notes "
        "and doctor's notes, or the patient's copy."
    )

    def add_arguments(self, parser):
        parser.add_argument("patient", type=int, help="the patient's number")
        parser.add_argument("file", type=Path, metavar="file.zip")
        parser.add_argument(
            "--for-patient", action="store_true", help="leave out what patients may not see"
        )
        parser.add_argument("--by", metavar="USERNAME", help="the administrator who asks for it")

    def handle(self, *, patient, file, for_patient, by, **options):
        patient, by = get_patient(patient), by and get_admin(by)
        try:
            export(patient, file, by=by, for_patient=for_patient)
        except FileExistsError as error:
            raise CommandError(f"{file} already exists.") from error
        except OSError as error:
            raise CommandError(f"{file} could not be written: {error.strerror}.") from error
        kind = "the patient's copy" if for_patient else "the clinic's copy, with private notes"
        self.stdout.write(f"Exported patient {patient.pk} to {file}: {kind}.")
