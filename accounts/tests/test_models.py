import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction

from accounts import licences, services
from accounts.auth.sessions import open_session
from accounts.models import Doctor, Session, User
from accounts.roles import UserType
from accounts.tests.factories import (
    PASSWORD,
    AdminFactory,
    DoctorFactory,
    UnverifiedDoctorFactory,
    UserFactory,
)
from accounts.tests.helpers import data, sign_in
from appointments.tests.factories import TimeSlotFactory, make_appointment
from config.api.exceptions import problem_from

pytestmark = pytest.mark.django_db


def row(person):
    return User.objects.filter(pk=person.pk).values().get()


@pytest.mark.parametrize(
    "changes",
    [
        {"username": "paul"},
        {"username": "PAUL"},
        {"email": "paul@example.com"},
        {"email": "Paul@Example.COM"},
        {"medical_license_number": "MD-7"},
        {"medical_license_number": "md-7"},
        {"username": "jane@example.org"},
        {"username": "paul@example.com"},
        {"username": "@"},
        {"is_staff": True},
        {"is_superuser": True},
        {"is_staff": True, "is_superuser": True},
        {"user_type": "admin"},
        {"user_type": "admin", "is_staff": True},
        {"user_type": "admin", "is_superuser": True},
    ],
)
def test_the_database_refuses_invalid_rows(changes):
    DoctorFactory(username="paul", email="paul@example.com", medical_license_number="MD-7")
    jane = DoctorFactory(username="jane", email="jane@example.com")
    before = row(jane)

    with pytest.raises(IntegrityError) as error, transaction.atomic():
        User.objects.filter(pk=jane.pk).update(**changes)

    assert row(jane) == before
    told = problem_from(error.value)
    assert told.status == 400
    assert "%(" not in str(told.errors)  # a message for users


@pytest.mark.parametrize(
    "changes",
    [
        {"user_type": "doctor"},
        {"user_type": "patient", "is_staff": False},
        {"is_staff": False},
        {"is_superuser": False},
        {"is_staff": False, "is_superuser": False},
    ],
)
def test_admins_have_both_staff_flags_and_others_none(changes):
    ada = AdminFactory()
    before = row(ada)

    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.filter(pk=ada.pk).update(**changes)

    assert row(ada) == before


def test_email_and_licence_number_may_be_empty_for_many_users():
    UserFactory(email="")
    UserFactory(email="")

    assert User.objects.filter(email="", medical_license_number="").count() == 2


def test_the_username_may_be_the_own_email_in_any_case():
    jane = UserFactory(username="jane", email="jane@example.com")

    changed = User.objects.filter(pk=jane.pk).update(username="Jane@Example.com")

    assert changed == 1


@pytest.mark.parametrize("person", [UserFactory, DoctorFactory, AdminFactory])
def test_the_staff_flags_follow_the_role(person):
    person = person()

    for kind in UserType:
        person.user_type = kind
        person.save()

        is_admin = kind == UserType.ADMIN
        assert (row(person)["is_staff"], row(person)["is_superuser"]) == (is_admin, is_admin)


def test_createsuperuser_creates_an_admin_who_can_sign_in(api, monkeypatch):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "admin123")

    call_command(
        "createsuperuser",
        username="admin",
        email="admin@example.com",
        interactive=False,
        verbosity=0,
    )

    admin = User.objects.get()
    assert (admin.user_type, admin.is_staff, admin.is_superuser) == ("admin", True, True)
    assert data(sign_in(api(), "admin", "admin123"))["user"]["user_type"] == "admin"


@pytest.mark.parametrize(
    ("username", "email"),
    [
        ("jane", "boss@example.com"),
        ("JANE", "boss@example.com"),
        ("jane@example.com", "boss@example.com"),
        ("boss", "Jane@Example.com"),
        ("boss@example.org", "boss@example.com"),
        ("böss", "boss@example.com"),
    ],
)
def test_createsuperuser_validates_the_username(monkeypatch, username, email):
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "admin123")
    UserFactory(username="jane", email="jane@example.com")

    with pytest.raises(CommandError):
        call_command(
            "createsuperuser", username=username, email=email, interactive=False, verbosity=0
        )

    assert User.objects.count() == 1


def test_a_superuser_is_always_an_admin():
    boss = User.objects.create_superuser("boss", "boss@example.com", PASSWORD, user_type="patient")

    assert (boss.user_type, boss.is_staff) == ("admin", True)


def test_the_register_service_creates_an_admin():
    ada = services.register(
        username="ada",
        email="ada@example.com",
        password=PASSWORD,
        first_name="Ada",
        last_name="Byron",
        user_type=UserType.ADMIN,
    )

    assert (ada.is_staff, ada.is_superuser) == (True, True)


@pytest.mark.parametrize("kind", ["patient", "admin"])
def test_the_role_of_a_doctor_with_a_slot_cannot_change(kind):
    house = DoctorFactory()
    TimeSlotFactory(doctor=house)
    house = User.objects.get(pk=house.pk)
    house.user_type = kind

    with pytest.raises(ValidationError) as refused:
        house.full_clean()

    assert refused.value.message_dict == {
        "user_type": ["The role of a user who has records cannot change."]
    }


@pytest.mark.parametrize("side", ["patient", "doctor"])
def test_the_role_of_a_user_with_an_appointment_cannot_change(side):
    person = User.objects.get(pk=getattr(make_appointment(), side).pk)
    person.user_type = "admin"

    with pytest.raises(ValidationError) as refused:
        person.full_clean()

    assert list(refused.value.message_dict) == ["user_type"]


@pytest.mark.parametrize("kind", ["patient", "admin"])
def test_the_role_of_a_user_without_records_can_change(kind):
    TimeSlotFactory()
    house = DoctorFactory()
    open_session(house)
    house = User.objects.get(pk=house.pk)

    services.update_profile(house, by=AdminFactory(), user_type=kind)

    assert User.objects.get(pk=house.pk).user_type == kind


def test_changing_the_role_to_doctor_requires_a_licence():
    jane = UserFactory()

    with pytest.raises(ValidationError) as refused:
        services.update_profile(jane, by=AdminFactory(), user_type="doctor")

    assert refused.value.message_dict == {
        "medical_license_number": ["This field is required for a doctor."],
        "specialization": ["This field is required for a doctor."],
    }


def test_only_the_user_and_an_admin_change_an_email():
    jane = UserFactory(email="jane@example.com")

    with pytest.raises(ValidationError) as refused:
        services.update_profile(jane, by=DoctorFactory(), email="new@example.com")
    changed = services.update_profile(jane, by=AdminFactory(), email="newer@example.com")

    assert list(refused.value.message_dict) == ["email"]
    assert changed.email == "newer@example.com"


@pytest.mark.parametrize("required", [True, False])
@pytest.mark.parametrize("active", [True, False])
@pytest.mark.parametrize(
    ("person", "verified"),
    [(DoctorFactory, True), (UnverifiedDoctorFactory, False)],
)
def test_a_doctor_is_bookable_if_active_and_verified_as_required(
    settings, person, verified, active, required
):
    settings.DOCTOR_VERIFICATION_REQUIRED = required
    doctor = person(is_active=active)

    expected = active and (verified or not required)

    assert doctor.is_bookable is expected
    assert Doctor.objects.bookable().exists() is expected
    assert Doctor.objects.not_bookable().exists() is not expected


@pytest.mark.parametrize("person", [UserFactory, AdminFactory])
def test_only_doctors_are_bookable(person):
    assert person().is_bookable is False


@pytest.mark.parametrize(
    ("person", "required", "role"),
    [
        (UserFactory, True, "patient"),
        (AdminFactory, True, "admin"),
        (DoctorFactory, True, "doctor"),
        (UnverifiedDoctorFactory, True, "unverified_doctor"),
        (UnverifiedDoctorFactory, False, "doctor"),
    ],
)
def test_an_unverified_doctor_has_a_separate_role(settings, person, required, role):
    settings.DOCTOR_VERIFICATION_REQUIRED = required

    assert person().role == role


def test_verifying_a_licence_makes_the_doctor_bookable():
    new = UnverifiedDoctorFactory()

    licences.verify_licence(new)

    assert Doctor.objects.get().is_bookable is True


def test_str_tells_people_of_one_name_apart():
    jane = UserFactory(first_name="Jane", last_name="Doe", date_of_birth="1990-04-12")
    jane.refresh_from_db()
    nameless = UserFactory(username="nameless", first_name="", last_name="")
    house = DoctorFactory(first_name="Dr. Gregory", last_name="House", specialization="Nephrology")
    ada = AdminFactory(first_name="Ada", last_name="Admin")

    assert [str(one) for one in (jane, nameless, house, ada)] == [
        f"Jane Doe, born April 12, 1990, no. {jane.pk}",
        f"nameless, no. {nameless.pk}",
        "Dr. Gregory House, Nephrology",
        "Ada Admin",
    ]


def test_the_doctor_proxy_contains_only_doctors():
    UserFactory()
    AdminFactory()
    house = DoctorFactory()

    assert list(Doctor.objects.all()) == [house]


def test_users_see_their_own_sessions_and_admins_see_all():
    jane, house, ada = UserFactory(), DoctorFactory(), AdminFactory()
    for person in (jane, house, ada):
        open_session(person)

    seen = {
        person.pk: set(Session.objects.visible_to(person).values_list("user", flat=True))
        for person in (jane, house, ada)
    }

    assert seen == {
        jane.pk: {jane.pk},
        house.pk: {house.pk},
        ada.pk: {jane.pk, house.pk, ada.pk},
    }
