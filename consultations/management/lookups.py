"""Look-ups of the people that a command names; unknown ones raise CommandError."""

from django.core.management import CommandError

from accounts.models import User
from accounts.roles import UserType
from patients.models import Patient


def get_patient(number):
    """Return the patient with this id, active or not."""
    person = User.objects.filter(pk=number).first()
    if person is None:
        raise CommandError(f"There is no patient {number}.")
    if person.user_type != UserType.PATIENT:
        raise CommandError(f"User {number} is not a patient but: {person.get_user_type_display()}.")
    return Patient.objects.get(pk=number)


def get_admin(username):
    """Return the active admin with this username, in upper or lower case."""
    admins = User.objects.filter(user_type=UserType.ADMIN, is_active=True)
    admin = admins.filter(username__lower=username.lower()).first()
    if admin is None:
        raise CommandError("There is no active administrator with that username.")
    return admin
