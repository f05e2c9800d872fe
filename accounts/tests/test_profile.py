import pytest

from accounts import email_addresses
from accounts.auth import email_tokens
from accounts.auth.sessions import open_session
from accounts.models import Session, User
from accounts.tests.factories import (
    PASSWORD,
    AdminFactory,
    DoctorFactory,
    UnverifiedDoctorFactory,
    UserFactory,
)
from accounts.tests.helpers import data, error_details, sign_in, status_and_code

pytestmark = pytest.mark.django_db

PROFILE = "/api/auth/profile/"
PERSON = [
    "id", "username", "email", "first_name", "last_name", "full_name", "user_type", "phone",
    "date_of_birth", "gender", "address", "avatar", "email_verified", "pending_email",
    "created_at", "updated_at",
]  # fmt: skip
DOCTOR = ["medical_license_number", "specialization", "license_verified"]
PATIENT = [
    "contact_email", "medical_history", "allergies", "emergency_contact", "emergency_contact_phone",
    "emergency_contact_relation",
]  # fmt: skip
UNKNOWN = ["This operation does not know this field."]
READ_ONLY = ["This field is read-only."]
EVERY_ROLE = [UserFactory, DoctorFactory, UnverifiedDoctorFactory, AdminFactory]


def row(person):
    """Returns the user's database row without `last_login`."""
    return User.objects.filter(pk=person.pk).values().get() | {"last_login": None}


@pytest.mark.parametrize(
    ("person", "names"),
    [
        (UserFactory, PERSON + PATIENT),
        (DoctorFactory, PERSON + DOCTOR),
        (UnverifiedDoctorFactory, PERSON + DOCTOR),
        (AdminFactory, PERSON),
    ],
)
def test_the_profile_contains_the_fields_of_the_role_only(api, person, names):
    assert list(data(api(person()).get(PROFILE))) == names


def test_users_read_their_own_profile(api):
    UserFactory(first_name="Paul")
    jane = UserFactory(first_name="Jane")
    UserFactory(first_name="Max")

    shown = data(api(jane).get(PROFILE))

    assert (shown["id"], shown["first_name"]) == (jane.pk, "Jane")


@pytest.mark.parametrize("person", EVERY_ROLE)
def test_the_profile_costs_one_query(api, django_assert_num_queries, person):
    person = person()
    client = api(person)

    with django_assert_num_queries(2 if person.user_type == "patient" else 1):  # the audit event
        data(client.get(PROFILE))


@pytest.mark.parametrize("method", ["get", "head", "options", "put", "patch"])
def test_anonymous_requests_are_refused(api, method):
    UserFactory()

    response = getattr(api(), method)(PROFILE)

    assert response.status_code == 401
    assert response["WWW-Authenticate"] == 'Bearer realm="api"'


def test_the_401_response_names_the_missing_credentials(api):
    assert error_details(api().get(PROFILE)) == (
        401,
        "not_authenticated",
        {"detail": ["Authentication credentials were not provided."]},
    )


@pytest.mark.parametrize("method", ["post", "delete"])
def test_a_profile_cannot_be_created_or_deleted(api, method):
    jane = UserFactory()

    response = getattr(api(jane), method)(PROFILE)

    assert status_and_code(response) == (405, "method_not_allowed")
    assert User.objects.filter(pk=jane.pk, is_active=True).exists()


@pytest.mark.parametrize("person", EVERY_ROLE)
def test_options_describes_the_body_without_user_data(api, person):
    other = UserFactory(first_name="Paulchen")

    response = api(person()).options(PROFILE)

    assert list(data(response)["actions"]) == ["PUT"]
    assert other.first_name not in response.content.decode()


@pytest.mark.parametrize("person", EVERY_ROLE)
def test_a_get_response_can_be_put_back(api, person):
    client = api(person(phone="030 1", address="1 Main Street"))
    shown = data(client.get(PROFILE))

    changed = data(client.put(PROFILE, shown))

    assert changed | {"updated_at": ""} == shown | {"updated_at": ""}


@pytest.mark.parametrize(
    ("person", "name", "value"),
    [
        (UserFactory, "first_name", "Janet"),
        (UserFactory, "last_name", "Dough"),
        (UserFactory, "phone", "+49 30 1234567"),
        (UserFactory, "phone", ""),
        (UserFactory, "date_of_birth", "1990-04-12"),
        (UserFactory, "date_of_birth", None),
        (UserFactory, "gender", "other"),
        (UserFactory, "address", "2 Main Street"),
        (UserFactory, "medical_history", "Asthma since childhood"),
        (UserFactory, "allergies", "Penicillin; peanuts"),
        (UserFactory, "emergency_contact", "Max Doe"),
        (UserFactory, "emergency_contact_phone", "030/7654321"),
        (UserFactory, "emergency_contact_relation", "brother"),
        (UnverifiedDoctorFactory, "specialization", "Neurology"),
        (DoctorFactory, "medical_license_number", "MD-new"),
        (AdminFactory, "phone", "0"),
    ],
)
def test_users_change_their_own_details(api, person, name, value):
    person = person(phone="030 1", date_of_birth="1980-01-01")
    other = UserFactory()
    others = row(other)
    client = api(person)

    response = client.patch(PROFILE, {name: value})

    assert data(response)[name] == value
    assert response.json()["message"] == "Profile updated."
    assert data(client.get(PROFILE)) == data(response)
    assert row(other) == others


def test_a_put_keeps_omitted_fields(api):
    jane = UserFactory(phone="030 1", allergies="Penicillin")
    body = {"email": jane.email, "first_name": "Janet", "last_name": "Dough"}

    changed = data(api(jane).put(PROFILE, body))

    assert changed["full_name"] == "Janet Dough"
    assert (changed["phone"], changed["allergies"]) == ("030 1", "Penicillin")


@pytest.mark.parametrize(
    ("person", "required"),
    [
        (UserFactory, ["email", "first_name", "last_name"]),
        (
            DoctorFactory,
            ["email", "first_name", "last_name", "medical_license_number", "specialization"],
        ),
    ],
)
def test_a_put_requires_the_fields_of_a_registration(api, person, required):
    person = person()
    before = row(person)

    response = api(person).put(PROFILE, {"phone": "030 1"})

    assert error_details(response) == (
        400,
        "validation_error",
        {name: ["This field is required."] for name in required},
    )
    assert row(person) == before


def test_a_superuser_without_a_name_can_put_the_profile_back(api):
    boss = User.objects.create_superuser("boss", password=PASSWORD)
    client = api(boss)
    shown = data(client.get(PROFILE))

    changed = data(client.put(PROFILE, shown | {"phone": "030 1"}))

    assert (changed["full_name"], changed["email"], changed["phone"]) == ("boss", "", "030 1")


def test_a_patch_requires_no_field(api):
    jane = UserFactory()

    changed = data(api(jane).patch(PROFILE, {}))

    assert changed["id"] == jane.pk


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", 1_000_000),
        ("username", "paul"),
        ("username", "JANE"),
        ("user_type", "admin"),
        ("user_type", "doctor"),
        ("full_name", "Paul"),
        ("created_at", "2020-01-01T00:00:00Z"),
        ("updated_at", None),
    ],
)
@pytest.mark.parametrize("method", ["put", "patch"])
def test_a_changed_read_only_field_is_refused(api, method, name, value):
    jane = UserFactory(username="jane")
    client = api(jane)
    body = data(client.get(PROFILE)) | {"phone": "030 1", name: value}
    before = row(jane)

    response = getattr(client, method)(PROFILE, body)

    assert error_details(response) == (400, "validation_error", {name: READ_ONLY})
    assert row(jane) == before


@pytest.mark.parametrize("value", [True, "True", "true", 1, None, "", []])
def test_doctors_cannot_verify_themselves(api, value):
    new = UnverifiedDoctorFactory()

    response = api(new).patch(PROFILE, {"license_verified": value})

    assert error_details(response) == (400, "validation_error", {"license_verified": READ_ONLY})
    assert row(new)["license_verified"] is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("is_staff", True),
        ("is_superuser", True),
        ("is_active", False),
        ("groups", [1]),
        ("user_permissions", [1]),
        ("password", "an-even-better-battery"),
        ("new_password", "an-even-better-battery"),
        ("last_login", None),
        ("sessions", []),
        ("role", "admin"),
        ("pk", 1),
    ],
)
@pytest.mark.parametrize("person", EVERY_ROLE)
def test_a_privilege_field_is_refused_by_name(api, person, name, value):
    person = person()
    before = row(person)

    response = api(person).patch(PROFILE, {"phone": "030 1", name: value})

    assert error_details(response) == (400, "unknown_field", {name: UNKNOWN})
    assert row(person) == before


@pytest.mark.parametrize(
    ("person", "names"),
    [
        (UserFactory, DOCTOR),
        (DoctorFactory, PATIENT),
        (UnverifiedDoctorFactory, PATIENT),
        (AdminFactory, DOCTOR + PATIENT),
    ],
)
def test_a_field_of_another_role_is_unknown(api, person, names):
    response = api(person()).patch(PROFILE, dict.fromkeys(names, ""))

    assert error_details(response) == (400, "unknown_field", dict.fromkeys(names, UNKNOWN))


BAD_VALUES = {
    "email": ["", " ", "jane", "a@b@c.de", None, True, [], {}, "jane@exam\0ple.com",
              "jane@ex\u0430mple.com"],
    "first_name": ["J" * 151, None, True, [], {}, "Ja\0ne"],
    "last_name": [ "D" * 151, None],
    "phone": ["abc", "0" * 33, "٠٣٠", None, True, [], {}, "030\0"],
    "date_of_birth": ["", "yesterday", "2020-13-01", "1899-12-31", "9999-12-31", 19900412, True,
                      [], {}],
    "gender": ["", "f", None, True, [], {}],
    "address": ["A" * 501, None, {}, "Main\0Street"],
    "avatar": ["", "https://evil.example/a.webp", "avatar.webp", True, 1, [], {}],
    "medical_history": [None, [], {}, "Asth\0ma"],
    "allergies": [None, ["Penicillin"], {}],
    "emergency_contact": ["M" * 151, None],
    "emergency_contact_phone": ["Max", None],
    "emergency_contact_relation": ["b" * 51, None],
    "current_password": ["", None, True, [], {}, "p" * 129],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD_VALUES.items() for value in values]
)
def test_an_invalid_value_is_refused_by_field_name_and_not_saved(api, name, value):
    jane = UserFactory(phone="030 1")
    client = api(jane)
    before = row(jane)

    response = client.patch(PROFILE, {"address": "2 Main Street"} | {name: value})

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == [name]
    assert row(jane) == before
    assert User.history.filter(history_type="~").count() == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("medical_license_number", ""),
        ("medical_license_number", None),
        ("medical_license_number", "M" * 51),
        ("specialization", ""),
        ("specialization", "S" * 101),
    ],
)
def test_an_invalid_doctor_value_is_refused_by_field_name(api, name, value):
    house = DoctorFactory()

    response = api(house).patch(PROFILE, {name: value})

    assert list(error_details(response)[2]) == [name]
    assert row(house)["license_verified"] is True


def test_the_licence_number_of_another_doctor_is_refused(api):
    DoctorFactory(medical_license_number="MD-7")
    house = DoctorFactory(medical_license_number="MD-8")

    response = api(house).patch(PROFILE, {"medical_license_number": "md-7"})

    assert error_details(response) == (
        400,
        "validation_error",
        {"medical_license_number": ["This licence number belongs to another account."]},
    )
    assert row(house)["medical_license_number"] == "MD-8"
    assert row(house)["license_verified"] is True


def test_a_new_licence_number_resets_the_verification(api):
    house = DoctorFactory()

    changed = data(api(house).patch(PROFILE, {"medical_license_number": "MD-new"}))

    assert changed["license_verified"] is False
    assert row(house)["license_verified"] is False


@pytest.mark.parametrize("name", ["medical_license_number", "specialization", "phone"])
def test_an_unchanged_licence_number_stays_verified(api, name):
    house = DoctorFactory(phone="030 1")
    client = api(house)
    body = {name: data(client.get(PROFILE))[name], "address": "2 Main Street"}

    changed = data(client.patch(PROFILE, body))

    assert changed["license_verified"] is True


@pytest.mark.parametrize(
    ("proof", "errors"),
    [
        (
            {},
            {"current_password": ["Enter your current password to change the e-mail address."]},
        ),
        (
            {"current_password": "wrong-horse-battery"},
            {"current_password": ["This is not the current password."]},
        ),
    ],
)
@pytest.mark.parametrize("email", ["new@example.com", "taken@example.com"])
def test_a_new_email_requires_the_current_password(api, email, proof, errors):
    UserFactory(email="taken@example.com")
    jane = UserFactory(email="jane@example.com")

    response = api(jane).patch(PROFILE, {"email": email, "phone": "030 1"} | proof)

    assert error_details(response) == (400, "validation_error", errors)
    assert (row(jane)["email"], row(jane)["phone"]) == ("jane@example.com", "")


def test_the_email_changes_with_the_current_password(api):
    jane = UserFactory(username="jane", email="jane@example.com")
    body = {"email": "new@example.com", "current_password": PASSWORD}

    changed = data(api(jane).patch(PROFILE, body))

    assert (changed["username"], changed["pending_email"]) == ("jane", "new@example.com")
    assert "current_password" not in changed
    email_addresses.verify(email_tokens.make_token(jane, "new@example.com"))
    assert sign_in(api(), "new@example.com", PASSWORD).status_code == 200
    assert sign_in(api(), "jane@example.com", PASSWORD).status_code == 401


def test_an_unchanged_email_requires_no_password(api):
    jane = UserFactory(email="jane@example.com")

    changed = data(api(jane).patch(PROFILE, {"email": "jane@example.com", "phone": "030 1"}))

    assert changed["phone"] == "030 1"


@pytest.mark.parametrize("email", ["paul@example.com", "PAUL@Example.com"])
def test_an_email_in_use_is_refused_in_any_case(api, email):
    UserFactory(email="paul@example.com")
    jane = UserFactory(email="jane@example.com")

    response = api(jane).patch(PROFILE, {"email": email, "current_password": PASSWORD})

    assert error_details(response) == (
        400,
        "validation_error",
        {"email": ["This e-mail address has an account already."]},
    )
    assert row(jane)["email"] == "jane@example.com"


def test_a_username_equal_to_the_email_follows_it(api):
    jane = UserFactory(username="jane@example.com", email="jane@example.com")
    client = api(jane)
    body = {"email": "new@example.com", "current_password": PASSWORD}

    data(client.patch(PROFILE, body))
    email_addresses.verify(email_tokens.make_token(jane, "new@example.com"))

    changed = data(client.get(PROFILE))
    assert changed["username"] == changed["email"] == "new@example.com"
    assert sign_in(api(), "new@example.com", PASSWORD).status_code == 200


def test_a_change_creates_a_version_with_its_author(api):
    jane = UserFactory(first_name="Jane")

    data(api(jane).patch(PROFILE, {"first_name": "Janet"}))

    versions = User.history.values_list("history_type", "first_name", "history_user")
    assert list(versions) == [("~", "Janet", jane.pk), ("+", "Jane", None)]


def test_a_profile_change_ends_no_session(api):
    jane = UserFactory(email="jane@example.com")
    open_session(jane)

    data(api(jane).patch(PROFILE, {"email": "new@example.com", "current_password": PASSWORD}))

    assert Session.objects.live().count() == 2
