"""Whom a command names."""

from django.core.management import CommandError

from accounts.models import User
from accounts.roles import UserType
from patients.models import Patient


def get_patient(number):
    person = User.objects.filter(pk=number).first()
    if person is None:
        raise CommandError(f"There is no patient {number}.")
    if person.user_type != UserType.PATIENT:
        raise CommandError(f"Person {number} is no patient: {person.get_user_type_display()}.")
    return Patient.objects.get(pk=number)


def get_admin(username):
    admins = User.objects.filter(user_type=UserType.ADMIN, is_active=True)
    admin = admins.filter(username__lower=username.lower()).first()
    if admin is None:
        raise CommandError("There is no active administrator of that username.")
    return admin
