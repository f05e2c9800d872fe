from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import Session, User
from accounts.tests.factories import DoctorFactory, UserFactory
from accounts.tests.helpers import (
    data,
    error_details,
    requires_postgresql,
    run_concurrently,
    sign_in,
    status_and_code,
)

pytestmark = pytest.mark.django_db

REGISTER = "/api/auth/register/"
PATIENT = {
    "username": "jane",
    "email": "jane@example.com",
    "password": "correct-horse-battery",
    "user_type": "patient",
    "first_name": "Jane",
    "last_name": "Doe",
}
DOCTOR = PATIENT | {
    "username": "house",
    "email": "house@example.com",
    "user_type": "doctor",
    "medical_license_number": "MD123456",
    "specialization": "Diagnostics",
}
UNKNOWN = ["This operation does not know this field."]
REQUIRED = ["This field is required."]
LATIN_ONLY = {
    "username": "Enter a valid username. This value may contain only unaccented lowercase a-z and"
    " uppercase A-Z letters, numbers, and @/./+/-/_ characters.",
    "email": "Use unaccented Latin letters only.",
}


def without(body, name):
    return {key: value for key, value in body.items() if key != name}


def test_a_patient_registers(api):
    response = api().post(REGISTER, PATIENT)

    person = data(response, 201)
    jane = User.objects.get()
    assert response.json()["message"] == "Account created."
    assert person == {
        "id": jane.pk,
        "username": "jane",
        "email": "jane@example.com",
        "first_name": "Jane",
        "last_name": "Doe",
        "full_name": "Jane Doe",
        "user_type": "patient",
        "phone": "",
        "date_of_birth": None,
        "gender": "unknown",
        "address": "",
        "avatar": None,
        "email_verified": False,
        "pending_email": "",
        "created_at": timezone.localtime(jane.created_at).isoformat(),
        "updated_at": timezone.localtime(jane.updated_at).isoformat(),
        "contact_email": "",
        "medical_history": "",
        "allergies": "",
        "emergency_contact": "",
        "emergency_contact_phone": "",
        "emergency_contact_relation": "",
    }
    assert (jane.is_active, jane.is_staff, jane.is_superuser) == (True, False, False)


def test_a_doctor_registers_with_an_unverified_licence(api):
    person = data(api().post(REGISTER, DOCTOR), 201)

    house = User.objects.get()
    assert person["medical_license_number"] == "MD123456"
    assert person["specialization"] == "Diagnostics"
    assert person["license_verified"] is house.license_verified is False
    assert (house.is_staff, house.is_superuser) == (False, False)


def test_all_fields_of_a_patient_are_stored(api):
    said = {
        "phone": "+49 (30) 123-45.67/8",
        "date_of_birth": "1990-04-12",
        "gender": "female",
        "address": "1 Main Street",
        "medical_history": "Asthma",
        "allergies": "Penicillin, peanuts",
        "emergency_contact": "Max Doe",
        "emergency_contact_phone": "030 1",
        "emergency_contact_relation": "brother",
    }

    person = data(api().post(REGISTER, PATIENT | said), 201)

    assert {name: person[name] for name in said} == said


def test_the_documented_example_works(api):
    body = {
        "username": "doctor1",
        "email": "doctor@example.com",
        "password": "securepassword",
        "first_name": "Dr. John",
        "last_name": "Smith",
        "user_type": "doctor",
        "medical_license_number": "MD123456",
        "specialization": "Cardiology",
    }

    person = data(api().post(REGISTER, body), 201)

    assert person["full_name"] == "Dr. John Smith"


def test_a_new_user_can_sign_in_but_is_not_signed_in_by_registering(api):
    data(api().post(REGISTER, PATIENT), 201)

    sessions_before = Session.objects.count()
    response = sign_in(api(), "jane", PATIENT["password"])

    assert sessions_before == 0
    assert data(response)["user"]["username"] == "jane"


def test_only_a_hash_of_the_password_is_stored(api):
    response = api().post(REGISTER, PATIENT)

    jane = User.objects.get()
    assert PATIENT["password"] not in jane.password
    assert PATIENT["password"].encode() not in response.content
    assert jane.password.encode() not in response.content


def test_a_stale_authorization_header_does_not_prevent_a_registration(api):
    response = api().post(REGISTER, PATIENT, HTTP_AUTHORIZATION="Bearer of.bad.news")

    assert response.status_code == 201


def test_registering_as_an_admin_is_refused(api):
    response = api().post(REGISTER, PATIENT | {"user_type": "admin"})

    assert error_details(response) == (
        400,
        "validation_error",
        {"user_type": ['"admin" is not a valid choice.']},
    )
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("is_staff", True),
        ("is_superuser", True),
        ("is_active", False),
        ("license_verified", True),
        ("groups", [1]),
        ("user_permissions", [1]),
        ("id", 1),
        ("pk", 1),
        ("date_joined", "2020-01-01T00:00:00Z"),
        ("created_at", "2020-01-01T00:00:00Z"),
        ("updated_at", "2020-01-01T00:00:00Z"),
        ("last_login", "2020-01-01T00:00:00Z"),
        ("full_name", "Jane Doe"),
        ("avatar", None),
        ("sessions", []),
        ("current_password", "correct-horse-battery"),
        ("_state", {}),
        ("", "nothing"),
    ],
)
@pytest.mark.parametrize("body", [PATIENT, DOCTOR], ids=["patient", "doctor"])
def test_a_privilege_field_is_refused_by_name(api, body, name, value):
    response = api().post(REGISTER, body | {name: value})

    assert error_details(response) == (400, "unknown_field", {name: UNKNOWN})
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "name",
    [
        "medical_history",
        "allergies",
        "emergency_contact",
        "emergency_contact_phone",
        "emergency_contact_relation",
    ],
)
@pytest.mark.parametrize("value", ["1", ""])
def test_a_doctor_cannot_set_patient_fields(api, name, value):
    response = api().post(REGISTER, DOCTOR | {name: value})

    assert error_details(response) == (
        400,
        "validation_error",
        {name: ["An account of this type does not have this field."]},
    )
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["medical_license_number", "specialization"])
@pytest.mark.parametrize("value", ["1", ""])
def test_a_patient_cannot_set_doctor_fields(api, name, value):
    response = api().post(REGISTER, PATIENT | {name: value})

    assert error_details(response) == (
        400,
        "validation_error",
        {name: ["An account of this type does not have this field."]},
    )
    assert not User.objects.exists()


@pytest.mark.parametrize("name", PATIENT)
def test_a_required_field_cannot_be_omitted(api, name):
    response = api().post(REGISTER, without(PATIENT, name))

    assert error_details(response) == (400, "validation_error", {name: REQUIRED})
    assert not User.objects.exists()


@pytest.mark.parametrize("name", ["medical_license_number", "specialization"])
@pytest.mark.parametrize(
    "body", [lambda name: without(DOCTOR, name), lambda name: DOCTOR | {name: " "}]
)
def test_a_doctor_requires_licence_number_and_specialization(api, name, body):
    response = api().post(REGISTER, body(name))

    assert error_details(response) == (
        400,
        "validation_error",
        {name: ["This field is required for a doctor."]},
    )
    assert not User.objects.exists()


def test_all_missing_fields_are_named_at_once(api):
    response = api().post(REGISTER, {})

    assert error_details(response) == (400, "validation_error", dict.fromkeys(PATIENT, REQUIRED))


@pytest.mark.parametrize("username", ["JANE", "Jane", "jAnE"])
def test_a_username_in_use_is_refused_in_another_case(api, username):
    UserFactory(username="jane", email="other@example.com")

    response = api().post(REGISTER, PATIENT | {"username": username})

    assert error_details(response) == (
        400,
        "validation_error",
        {"username": ["This username is taken."]},
    )
    assert User.objects.count() == 1


def test_a_username_in_use_is_refused(api):
    UserFactory(username="jane", email="other@example.com")

    response = api().post(REGISTER, PATIENT)

    assert error_details(response)[:2] == (400, "validation_error")
    assert list(error_details(response)[2]) == ["username"]
    assert User.objects.count() == 1


@pytest.mark.parametrize("email", ["jane@example.com", "JANE@example.com", "Jane@EXAMPLE.com"])
def test_an_email_in_use_is_refused_in_any_case(api, email):
    UserFactory(username="other", email="jane@example.com")

    response = api().post(REGISTER, PATIENT | {"email": email})

    assert error_details(response) == (
        400,
        "validation_error",
        {"email": ["This e-mail address has an account already."]},
    )
    assert User.objects.count() == 1


def test_the_email_of_a_deactivated_account_stays_in_use(api):
    UserFactory(username="other", email="jane@example.com", is_active=False)

    response = api().post(REGISTER, PATIENT)

    assert error_details(response)[2] == {"email": ["This e-mail address has an account already."]}


@pytest.mark.parametrize("number", ["MD-7", "md-7"])
def test_a_licence_number_belongs_to_one_doctor(api, number):
    DoctorFactory(medical_license_number="MD-7")

    response = api().post(REGISTER, DOCTOR | {"medical_license_number": number})

    assert error_details(response) == (
        400,
        "validation_error",
        {"medical_license_number": ["This licence number belongs to another account."]},
    )
    assert User.objects.count() == 1


def test_a_licence_number_in_use_is_refused_with_non_ascii_letters(api):
    DoctorFactory(medical_license_number="ÄK-7")

    response = api().post(REGISTER, DOCTOR | {"medical_license_number": "ÄK-7"})

    assert list(error_details(response)[2]) == ["medical_license_number"]
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "username",
    [
        "\ufb01le",  # a ligature for "fi"
        "\uff46ile",  # a full-width f
        "f\u0456le",  # a Cyrillic i
        "fi\u217ce",  # a Roman numeral fifty
        "fíle",
        "file\u200b",
        "fi\u00adle",
        "fi le",
        "fi/le",
        "<b>file</b>",
    ],
)
def test_a_username_with_look_alike_letters_is_refused(api, username):
    UserFactory(username="file")

    response = api().post(REGISTER, PATIENT | {"username": username})

    assert error_details(response) == (
        400,
        "validation_error",
        {"username": [LATIN_ONLY["username"]]},
    )
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    "email",
    [
        "ja\u212ae@example.com",  # the Kelvin sign, whose lower case is k
        "jake@ex\u0430mple.com",  # a Cyrillic a
        "jake@\uff45xample.com",  # a full-width e
        "jake@exámple.com",
    ],
)
def test_an_email_with_look_alike_letters_is_refused(api, email):
    UserFactory(username="jake", email="jake@example.com")

    response = api().post(REGISTER, PATIENT | {"email": email})

    assert error_details(response) == (400, "validation_error", {"email": [LATIN_ONLY["email"]]})
    assert User.objects.count() == 1


@pytest.mark.parametrize("username", ["jane@example.com", "Jane@Example.COM"])
def test_the_username_may_be_the_own_email(api, username):
    person = data(api().post(REGISTER, PATIENT | {"username": username}), 201)

    assert person["username"] == username


@pytest.mark.parametrize("username", ["paul@example.com", "@", "jane@", "jane@example.com.org"])
def test_a_username_with_an_at_sign_must_be_the_own_email(api, username):
    response = api().post(REGISTER, PATIENT | {"username": username})

    assert error_details(response) == (
        400,
        "validation_error",
        {"username": ["A username with @ must be the account's e-mail address."]},
    )
    assert not User.objects.exists()


@pytest.mark.parametrize(
    "password",
    [
        "1",
        "correct",  # seven characters
        "password",
        "12345678",
        "jane-doe-1",
        "jane@example.com",
        "janedoe.",
    ],
)
def test_a_weak_password_is_refused(api, password):
    names = {"username": "jane-doe-1", "first_name": "Janedoe", "last_name": "Doe"}

    response = api().post(REGISTER, PATIENT | names | {"password": password})

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == ["password"]
    assert not User.objects.exists()


@pytest.mark.parametrize("password", ["kx7-Qp2w", "kx7-Qp2w" * 16, " kx7-Qp2w ", "пароль-и-конь"])
def test_a_password_of_8_to_128_characters_is_accepted_unchanged(api, password):
    data(api().post(REGISTER, PATIENT | {"password": password}), 201)

    assert sign_in(api(), "jane", password).status_code == 200
    assert sign_in(api(), "jane", password[:-1]).status_code == 401


def test_a_password_of_129_characters_is_refused_before_hashing(api):
    response = api().post(REGISTER, PATIENT | {"password": "kx7-Qp2w" * 16 + "!"})

    assert error_details(response) == (
        400,
        "validation_error",
        {"password": ["Ensure this field has no more than 128 characters."]},
    )
    assert not User.objects.exists()


BAD_VALUES = {
    "username": ["", " ", "j" * 151, None, True, [], {}, "ja\0ne"],
    "email": ["", "jane", "jane@", "@example.com", "a@b@c.de", "j" * 250 + "@example.com", None,
              True, [], {}, "jane@exam\0ple.com", "jane@example.com\nBcc: all@example.com"],
    "password": ["", None, True, [], {}, "correct-horse\0battery"],
    "user_type": ["", "nurse", "DOCTOR", None, True, 1, [], ["patient"], {}, "patient\0"],
    "first_name": ["J" * 151, None, True, [], {}, "Ja\0ne"],
    "last_name": ["\u200b", "D" * 151, None, True, [], {}, "D\0oe"],
    "phone": ["abc", "0" * 33, "٠٣٠", "1;drop", None, True, [], {}, "030\0"],
    "date_of_birth": ["yesterday", "12.04.1990", "2020-13-01", "2019-02-29", "1899-12-31",
                      "0001-01-01", "9999-12-31", "1990-04-12T00:00:00Z", 19900412, True, [], {},
                      "1990-04-12\0"],
    "gender": ["", "f", "FEMALE", None, True, 1, [], {}],
    "address": ["A" * 501, None, True, [], {}, "Main\0Street"],
    "medical_history": [None, True, [], {}, "Asth\0ma"],
    "allergies": [None, True, ["Penicillin"], {}, "Pen\0icillin"],
    "emergency_contact": ["M" * 151, None, True, [], {}],
    "emergency_contact_phone": ["Max", "0" * 33, None, True, [], {}],
    "emergency_contact_relation": ["b" * 51, None, True, [], {}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in BAD_VALUES.items() for value in values]
)
def test_an_invalid_value_is_refused_by_field_name_and_nothing_is_stored(api, name, value):
    response = api().post(REGISTER, PATIENT | {name: value})

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == [name]
    assert not User.objects.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("medical_license_number", "M" * 51),
        ("medical_license_number", None),
        ("medical_license_number", {}),
        ("medical_license_number", "MD\0"),
        ("specialization", "S" * 101),
        ("specialization", None),
        ("specialization", []),
    ],
)
def test_an_invalid_doctor_value_is_refused_by_field_name(api, name, value):
    response = api().post(REGISTER, DOCTOR | {name: value})

    assert status_and_code(response) == (400, "validation_error")
    assert list(error_details(response)[2]) == [name]
    assert not User.objects.exists()


@pytest.mark.parametrize("day", ["1900-01-01", "2000-02-29"])
def test_any_date_of_birth_since_1900_is_accepted(api, day):
    assert data(api().post(REGISTER, PATIENT | {"date_of_birth": day}), 201)["date_of_birth"] == day


def test_a_date_of_birth_in_the_future_is_refused(api):
    tomorrow = timezone.localdate() + timedelta(days=1)

    response = api().post(REGISTER, PATIENT | {"date_of_birth": tomorrow.isoformat()})

    assert list(error_details(response)[2]) == ["date_of_birth"]
    assert not User.objects.exists()


def test_a_registration_creates_the_first_version(api):
    data(api().post(REGISTER, PATIENT), 201)

    assert list(User.history.values_list("history_type", "username")) == [("+", "jane")]
    assert "password" not in {field.name for field in User.history.model._meta.fields}


@requires_postgresql
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("username", ["jane"] * 6),
        ("username", ["jane", "JANE", "Jane", "jANE", "janE", "JAne"]),
        ("email", ["jane@example.com", "JANE@example.com", "Jane@example.com"] * 2),
        ("medical_license_number", ["MD-7", "md-7", "Md-7"] * 2),
    ],
)
def test_one_of_several_concurrent_registrations_of_a_name_succeeds(api, field, values):
    bodies = [
        DOCTOR
        | {
            "username": f"doctor{n}",
            "email": f"doctor{n}@example.com",
            "medical_license_number": f"L-{n}",
        }
        | {field: value}
        for n, value in enumerate(values)
    ]

    answers = run_concurrently(*[lambda body=body: api().post(REGISTER, body) for body in bodies])

    assert sorted(answer.status_code for answer in answers) == [201] + [400] * 5
    assert [list(error_details(a)[2]) for a in answers if a.status_code == 400] == [[field]] * 5
    assert User.objects.count() == 1
