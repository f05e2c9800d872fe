import factory

from accounts.models import Doctor, User
from accounts.roles import UserType

PASSWORD = "correct-horse-battery"  # noqa: S105


class UserFactory(factory.django.DjangoModelFactory):
    """A user without a role; the subclasses set one."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"person{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.com")
    first_name = factory.Sequence(lambda n: f"Alex{n}")
    last_name = factory.Sequence(lambda n: f"Person{n}")
    password = factory.django.Password(PASSWORD)
    email_verified = True


class AdminFactory(UserFactory):
    username = factory.Sequence(lambda n: f"admin{n}")
    user_type = UserType.ADMIN


class DoctorFactory(UserFactory):
    class Meta:
        model = Doctor
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"doctor{n}")
    user_type = UserType.DOCTOR
    medical_license_number = factory.Sequence(lambda n: f"MD-{n:06}")
    specialization = "Cardiology"
    license_verified = True


class UnverifiedDoctorFactory(DoctorFactory):
    license_verified = False
