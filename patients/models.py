from django.db.models import Q

from accounts.models import PeopleManager, User
from accounts.roles import UserType
from accounts.scoping import ScopedQuerySet

ACTIVE = Q(is_active=True)


class PatientQuerySet(ScopedQuerySet):
    """Verified doctors see the whole directory; a patient sees the own record."""

    owners = {
        UserType.PATIENT: lambda user: ACTIVE & Q(pk=user.pk),
        UserType.DOCTOR: ACTIVE,
        UserType.ADMIN: ACTIVE,
    }


class PatientManager(PeopleManager.from_queryset(PatientQuerySet)):
    def get_queryset(self):
        return super().get_queryset().filter(user_type=UserType.PATIENT)


class Patient(User):
    """A user as a patient: the record of the clinic."""

    objects = PatientManager()

    class Meta:
        proxy = True
