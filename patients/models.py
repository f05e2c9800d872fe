from django.db.models import Q

from accounts.models import PeopleManager, User
from accounts.roles import UserType
from accounts.scoping import ScopedQuerySet


def own_record(user):
    """Their own, while it is open."""
    return open_records(user) & Q(pk=user.pk)


def open_records(user):
    """All that are open."""
    return Q(is_active=True)


class PatientQuerySet(ScopedQuerySet):
    """Verified doctors see the whole directory; a patient sees the own record."""

    owners = {
        UserType.PATIENT: own_record,
        UserType.DOCTOR: open_records,
        UserType.ADMIN: open_records,
    }


class PatientManager(PeopleManager.from_queryset(PatientQuerySet)):
    def get_queryset(self):
        return super().get_queryset().filter(user_type=UserType.PATIENT)


class Patient(User):
    """A user as a patient: the record of the clinic."""

    objects = PatientManager()

    class Meta:
        proxy = True
