"""The endpoint by which staff register a patient."""

import re

import pytest

from accounts.models import User
from accounts.tests.factories import PASSWORD
from accounts.tests.helpers import sent_mail
from appointments.tests.helpers import all_rows, data, error_details, status_and_code
from patients.models import Patient

LIST = "/api/patients/"
RUTH = {"first_name": "Ruth", "last_name": "Meyer"}


def test_doctors_and_admins_register_a_patient_and_get_the_record(api, smith, ada):
    for number, clerk in enumerate((smith, ada)):
        body = RUTH | {
            "username": f"ruth{number}",
            "email": f"ruth{number}@example.com",
            "phone": "+49 30 99",
            "date_of_birth": f"195{number}-12-31",
            "gender": "other",
            "address": "2 Side Street",
            "medical_history": "Diabetes",
            "allergies": "Latex",
            "emergency_contact": "Tom",
            "emergency_contact_phone": "030 98",
            "emergency_contact_relation": "son",
        }

        response = api(clerk).post(LIST, body)

        record = data(response, 201)
        ruth = Patient.objects.get(pk=record["id"])
        assert response.json()["message"] == "Patient created."
        assert record == data(api(clerk).get(f"{LIST}{ruth.pk}/"))
        assert {name: record[name] for name in body} == body
        assert (record["user_type"], record["full_name"]) == ("patient", "Ruth Meyer")
        assert (ruth.is_active, ruth.is_staff, ruth.is_superuser) == (True, False, False)


def test_the_seed_path_registers_a_patient(api, smith):
    record = data(api(smith).post("/api/patients/api/patients/", RUTH), 201)

    assert Patient.objects.get().pk == record["id"]


def test_only_a_name_is_required(api, smith):
    client = api(smith)
    before = all_rows(User)

    assert error_details(client.post(LIST, {}))[::2] == (
        400,
        {name: ["Enter a first name or a last name."] for name in ("first_name", "last_name")},
    )
    blank = client.post(LIST, {"first_name": " ", "last_name": ""})
    assert list(error_details(blank)[2]) == ["first_name", "last_name"]
    assert all_rows(User) == before
    data(client.post(LIST, RUTH), 201)
    data(client.post(LIST, {"first_name": "Suharto"}), 201)
    data(client.post(LIST, {"first_name": "", "last_name": "Mononym"}), 201)


def test_the_first_version_names_the_registering_user(api, smith):
    record = data(api(smith).post(LIST, RUTH), 201)

    version = User.history.get(id=record["id"])
    assert (version.history_type, version.history_user, version.first_name) == ("+", smith, "Ruth")


# --- Username -------------------------------------------------------------------------------


def test_the_username_defaults_to_the_email(api, smith):
    record = data(api(smith).post(LIST, RUTH | {"email": "ruth@example.com"}), 201)

    assert record["username"] == "ruth@example.com"


@pytest.mark.parametrize(
    "address",
    [
        {},
        {"email": ""},
        {"email": "ruth.o'meyer@example.com"},
        {"email": f"ruth@{'e' * 60}.{'e' * 60}.{'e' * 60}.com"},
    ],
    ids=["no address", "blank", "an apostrophe", "too long"],
)
def test_a_username_is_generated_if_the_email_cannot_be_used(api, smith, address):
    record = data(api(smith).post(LIST, RUTH | address), 201)

    assert re.fullmatch(r"patient-[0-9a-f]{8}", record["username"])
    assert record["email"] == address.get("email", "")


def test_a_given_username_is_kept(api, smith):
    body = RUTH | {"username": "ruth.m", "email": "ruth@example.com"}

    assert data(api(smith).post(LIST, body), 201)["username"] == "ruth.m"


# --- Password -------------------------------------------------------------------------------


def sign_in(api, username, password):
    body = {"username": username, "password": password}
    return api().post("/api/auth/login/", body).status_code


def test_a_patient_with_a_password_can_sign_in_and_confirms_the_address(api, smith):
    body = RUTH | {"email": "ruth@example.com", "password": PASSWORD}

    record = data(api(smith).post(LIST, body), 201)

    assert "password" not in record
    assert sign_in(api, "ruth@example.com", PASSWORD) == 200
    assert [message.subject for message in sent_mail()] == ["Confirm your e-mail address"]


def test_a_patient_without_a_password_is_invited_by_email(
    api, smith, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        data(api(smith).post(LIST, RUTH | {"email": "ruth@example.com"}), 201)

    (letter,) = sent_mail()
    assert (letter.to, letter.subject) == (["ruth@example.com"], "Your account at the clinic")
    link = re.search(r"http://localhost:3000/reset-password\?uid=(\S+)&token=(\S+)", letter.body)
    body = {"uid": link[1], "token": link[2], "new_password": PASSWORD}
    data(api().post("/api/auth/password/reset/confirm/", body))
    assert sign_in(api, "ruth@example.com", PASSWORD) == 200


def test_a_patient_without_email_and_password_gets_no_message_and_cannot_sign_in(
    api, smith, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        record = data(api(smith).post(LIST, RUTH), 201)

    assert sent_mail() == []
    assert Patient.objects.get(pk=record["id"]).has_usable_password() is False


@pytest.mark.parametrize(
    "password",
    ["", "seven77", "password", "5829471036", "ruthmeyer", "ruth@example.com", "x y" * 43],
    ids=["blank", "short", "common", "digits", "like the name", "the address", "129 long"],
)
def test_a_weak_password_is_refused_and_no_message_is_sent(
    api, smith, password, django_capture_on_commit_callbacks
):
    body = RUTH | {"username": "ruthmeyer", "email": "ruth@example.com", "password": password}
    client = api(smith)
    before = all_rows(User)

    with django_capture_on_commit_callbacks(execute=True):
        status, word, errors = error_details(client.post(LIST, body))

    assert (status, word, list(errors)) == (400, "validation_error", ["password"])
    assert all_rows(User) == before
    assert sent_mail() == []


def test_a_password_of_128_characters_is_accepted(api, smith):
    password = "a1 " * 42 + "zz"

    data(api(smith).post(LIST, RUTH | {"username": "ruth", "password": password}), 201)

    assert sign_in(api, "ruth", password) == 200


# --- Errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken", "field"),
    [
        ({"email": "jane@example.com", "username": "ruth"}, "email"),
        ({"email": "JANE@Example.com", "username": "ruth"}, "email"),
        ({"email": "JANE@Example.com"}, "email"),
        ({"username": "jane"}, "username"),
        ({"username": "Jane"}, "username"),
    ],
)
def test_an_email_or_username_in_use_is_refused_in_any_case(api, smith, jane, taken, field):
    client = api(smith)
    before = all_rows(User)

    status, word, errors = error_details(client.post(LIST, RUTH | taken))

    assert (status, word, list(errors)) == (400, "validation_error", [field])
    assert all_rows(User) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "another@example.com"),
        ("username", "r\u00fcth"),
        ("username", "ruth meyer"),
        ("username", ""),
        ("username", None),
        ("email", "ruth at example.com"),
        ("email", None),
        ("email", "r\u00fcth@example.com"),
        ("password", None),
        ("phone", "call me"),
        ("phone", "1" * 33),
        ("emergency_contact_phone", "none"),
        ("date_of_birth", "1899-12-31"),
        ("date_of_birth", "2199-01-01"),
        ("date_of_birth", "31.12.1950"),
        ("gender", "f"),
        ("allergies", ["Latex"]),
        ("first_name", "R" * 151),
    ],
)
def test_an_invalid_value_is_refused_by_field_name(api, smith, field, value):
    body = RUTH | {"email": "ruth@example.com"} | {field: value}
    client = api(smith)
    before = all_rows(User)

    status, word, errors = error_details(client.post(LIST, body))

    assert (status, word, list(errors)) == (400, "validation_error", [field])
    assert all_rows(User) == before


@pytest.mark.parametrize(
    "field",
    [
        "id",
        "user_type",
        "is_active",
        "is_staff",
        "is_superuser",
        "groups",
        "license_verified",
        "medical_license_number",
        "full_name",
        "avatar",
        "created_at",
        "current_password",
    ],
)
def test_a_read_only_field_is_refused_by_name(api, ada, field):
    client = api(ada)
    before = all_rows(User)

    status, word, errors = error_details(client.post(LIST, RUTH | {field: "admin"}))

    assert (status, word, list(errors)) == (400, "unknown_field", [field])
    assert all_rows(User) == before


def test_a_form_is_refused(api, smith):
    client = api(smith)
    before = all_rows(User)

    response = client.post(LIST, RUTH, format="multipart")

    assert status_and_code(response) == (415, "unsupported_media_type")
    assert all_rows(User) == before


def test_other_roles_cannot_register_patients(api, nils, jane):
    clients = [api(), api(jane), api(nils)]
    before = all_rows(User)

    answers = [status_and_code(client.post(LIST, RUTH)) for client in clients]

    assert answers == [
        (401, "not_authenticated"),
        (403, "permission_denied"),
        (403, "license_not_verified"),
    ]
    assert all_rows(User) == before
