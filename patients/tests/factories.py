import factory

from accounts.roles import UserType
from accounts.tests.factories import UserFactory
from patients.models import Patient


class PatientFactory(UserFactory):
    class Meta:
        model = Patient
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"patient{n}")
    user_type = UserType.PATIENT
