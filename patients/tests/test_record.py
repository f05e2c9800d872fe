"""The endpoint of one patient's record."""

from io import BytesIO

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from accounts.models import User
from accounts.models.searchable import SEARCH_COLUMNS
from accounts.tests.factories import PASSWORD
from appointments.tests.helpers import (
    all_rows,
    assert_data_queries,
    data,
    error_details,
    status_and_code,
)
from patients.models import Patient

MISSING_ID = 999_999
JSON = "application/json"
KEYS = {
    "email_verified",
    "contact_email",
    "pending_email",
    "id",
    "username",
    "email",
    "first_name",
    "display",
    "last_name",
    "full_name",
    "user_type",
    "phone",
    "date_of_birth",
    "gender",
    "address",
    "avatar",
    "medical_history",
    "allergies",
    "emergency_contact",
    "emergency_contact_phone",
    "emergency_contact_relation",
    "created_at",
    "updated_at",
}


def url(patient):
    return f"/api/patients/{patient if isinstance(patient, int) else patient.pk}/"


def stored(patient):
    """Returns the row without the columns that every change or login updates, or that follow."""
    row = User.objects.filter(pk=patient.pk).values().get()
    derived = ["updated_at", "last_login", "version", *SEARCH_COLUMNS]
    return {name: row[name] for name in row if name not in derived}


def versions(patient):
    """Returns the versions, oldest first, as (kind, author, phone)."""
    rows = User.history.filter(id=patient.pk).order_by("history_id")
    return [(row.history_type, row.history_user, row.phone) for row in rows]


# --- Reading --------------------------------------------------------------------------------


def test_doctors_admins_and_the_patient_read_the_whole_record(api, smith, ada, jane):
    for reader in (smith, ada, jane):
        record = data(api(reader).get(url(jane)))

        assert set(record) == KEYS
        assert {name: record[name] for name in KEYS - {"created_at", "updated_at"}} == {
            "id": jane.pk,
            "username": "jane",
            "email": "jane@example.com",
            "first_name": "Jane",
            "last_name": "Doe",
            "full_name": "Jane Doe",
            "display": f"Jane Doe, born April 12, 1990, no. {jane.pk}",
            "user_type": "patient",
            "phone": "+49 30 1234567",
            "date_of_birth": "1990-04-12",
            "gender": "female",
            "address": "1 Main Street, Springfield",
            "avatar": None,
            "email_verified": True,
            "pending_email": "",
            "contact_email": "",
            "medical_history": "Asthma since childhood",
            "allergies": "Penicillin, peanuts",
            "emergency_contact": "Max Doe",
            "emergency_contact_phone": "+49 30 7654321",
            "emergency_contact_relation": "brother",
        }


def test_the_seed_path_returns_the_same_record(api, smith, jane):
    seeds = api(smith).get(f"/api/patients/api/patients/{jane.pk}/")

    assert data(seeds) == data(api(smith).get(url(jane)))


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_the_record_of_another_patient_is_404(api, jane, omar, method):
    client = api(omar)
    before = stored(jane)

    other, missing = (
        client.generic(method, url(one), '{"first_name": "J", "last_name": "D"}', JSON)
        for one in (jane, MISSING_ID)
    )

    assert error_details(other) == (404, "not_found", {"detail": ["Not found."]})
    assert other.json() | {"request_id": ""} == missing.json() | {"request_id": ""}
    assert stored(jane) == before


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH"])
def test_anonymous_users_and_unverified_doctors_are_refused_for_any_id(api, nils, jane, method):
    before = stored(jane)

    for one in (jane, MISSING_ID):
        for caller, expected in ((None, 401), (nils, 403)):
            answer = api(caller).generic(method, url(one), '{"phone": "112"}', JSON)
            assert answer.status_code == expected
    assert stored(jane) == before


def test_the_id_of_a_doctor_or_admin_is_404(api, smith, ada):
    for person in (smith, ada):
        assert status_and_code(api(ada).get(url(person))) == (404, "not_found")
        assert status_and_code(api(ada).patch(url(person), {"phone": "1"})) == (404, "not_found")
        assert stored(person)["phone"] == ""


def test_only_canonical_ids_are_accepted(api, smith, jane):
    for one in ("9" * 30, f"{jane.pk}.0", f"+{jane.pk}", "\u0661", "jane"):
        assert status_and_code(api(smith).get(f"/api/patients/{one}/")) == (404, "not_found")


def test_query_count_of_a_record(api, smith, jane):
    client = api(smith)

    with assert_data_queries(3):
        data(client.get(url(jane)))


# --- Changes --------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", ["smith", "ada", "jane"])
def test_a_patch_changes_only_the_given_fields(api, jane, writer, request):
    client = api(request.getfixturevalue(writer))
    before = stored(jane)

    response = client.patch(url(jane), {"phone": "112", "allergies": "Latex"})

    record = data(response)
    assert response.json()["message"] == "Patient updated."
    assert (record["phone"], record["allergies"]) == ("112", "Latex")
    assert stored(jane) == before | {"phone": "112", "allergies": "Latex"}


@pytest.mark.parametrize("writer", ["smith", "ada", "jane"])
def test_a_put_requires_a_name_and_keeps_omitted_fields(api, jane, writer, request):
    client = api(request.getfixturevalue(writer))
    before = stored(jane)

    assert error_details(client.put(url(jane), {"phone": "112"}))[::2] == (
        400,
        {name: ["Enter a first name or a last name."] for name in ("first_name", "last_name")},
    )
    assert stored(jane) == before
    data(client.put(url(jane), {"first_name": "Janet", "last_name": "Roe"}))
    assert stored(jane) == before | {"first_name": "Janet", "last_name": "Roe"}


@pytest.mark.parametrize("writer", ["smith", "ada", "jane"])
def test_a_get_response_can_be_put_back(api, jane, writer, request):
    client = api(request.getfixturevalue(writer))
    before = stored(jane)
    shown = data(client.get(url(jane)))

    data(client.put(url(jane), shown | {"phone": "112"}))

    assert stored(jane) == before | {"phone": "112"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", MISSING_ID),
        ("username", "janet"),
        ("user_type", "admin"),
        ("full_name", "Janet Doe"),
        ("created_at", "2020-01-01T00:00:00+01:00"),
        ("updated_at", "2020-01-01T00:00:00+01:00"),
    ],
)
def test_a_changed_read_only_field_is_refused_by_name(api, ada, jane, field, value):
    client = api(ada)
    before = stored(jane)

    answers = [
        error_details(client.patch(url(jane), {"phone": "112", field: value})),
        error_details(client.put(url(jane), {"first_name": "J", "last_name": "D", field: value})),
    ]

    expected = (400, "validation_error", {field: ["This field is read-only."]})
    assert answers == [expected, expected]
    assert stored(jane) == before


@pytest.mark.parametrize(
    "field",
    ["password", "is_active", "is_staff", "is_superuser", "license_verified", "specialization"],
)
def test_an_unknown_field_is_refused_by_name(api, ada, jane, field):
    client = api(ada)
    before = stored(jane)

    status, word, errors = error_details(client.patch(url(jane), {"phone": "112", field: "true"}))

    assert (status, word, list(errors)) == (400, "unknown_field", [field])
    assert stored(jane) == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("first_name", "\u200b"),
        ("last_name", None),
        ("phone", "call me"),
        ("date_of_birth", "2199-01-01"),
        ("gender", "f"),
        ("avatar", "https://example.com/me.png"),
        ("email", "jane"),
    ],
)
def test_an_invalid_value_is_refused_by_field_name(api, ada, jane, field, value):
    client = api(ada)
    before = stored(jane)

    status, word, errors = error_details(
        client.patch(url(jane), {"address": "moved", field: value})
    )

    assert (status, word, list(errors)) == (400, "validation_error", [field])
    assert stored(jane) == before


def test_an_avatar_is_uploaded_in_a_form_and_removed_with_null(api, smith, jane):
    painted = BytesIO()
    Image.new("RGB", (8, 8), "red").save(painted, "PNG")
    picture = SimpleUploadedFile("me.png", painted.getvalue(), "image/png")

    shown = data(api(smith).patch(url(jane), {"avatar": picture}, format="multipart"))["avatar"]

    stored_as = Patient.objects.get(pk=jane.pk).avatar
    assert shown == f"http://testserver{stored_as.url}"
    assert data(api(smith).patch(url(jane), {"avatar": None}))["avatar"] is None
    assert stored_as.storage.exists(stored_as.name) is True  # until the change is committed


# --- E-mail address -------------------------------------------------------------------------


def test_a_patient_changes_their_email_with_their_password(api, jane):
    client = api(jane)
    before = stored(jane)
    new = {"email": "jane@new.example"}

    without = error_details(client.patch(url(jane), new))
    wrong = error_details(client.patch(url(jane), new | {"current_password": "not mine"}))

    sentence = "Enter your current password to change the e-mail address."
    assert without == (400, "validation_error", {"current_password": [sentence]})
    assert wrong[::2] == (400, {"current_password": ["This is not the current password."]})
    assert stored(jane) == before
    record = data(client.patch(url(jane), new | {"current_password": PASSWORD}))
    assert (record["email"], record["pending_email"]) == ("jane@example.com", "jane@new.example")
    assert "current_password" not in record
    assert stored(jane) == before | {"pending_email": "jane@new.example"}


def test_a_doctor_cannot_change_the_email_even_with_the_password(api, smith, jane):
    before = stored(jane)

    for body in ({}, {"current_password": PASSWORD}):
        answer = error_details(api(smith).patch(url(jane), body | {"email": "x@new.example"}))

        sentence = "Only the user or an administrator can change the e-mail address."
        assert answer == (400, "validation_error", {"email": [sentence]})
        assert stored(jane) == before


def test_an_admin_changes_the_email_and_the_old_one_cannot_sign_in(api, ada, jane):
    data(api(ada).patch(url(jane), {"email": "jane@new.example"}))

    responses = {
        name: api().post("/api/auth/login/", {"username": name, "password": PASSWORD}).status_code
        for name in ("jane@example.com", "jane@new.example", "jane")
    }
    assert responses == {"jane@example.com": 401, "jane@new.example": 200, "jane": 200}


def test_a_username_equal_to_the_email_follows_it(api, ada, jane):
    User.objects.filter(pk=jane.pk).update(username="jane@example.com")

    record = data(api(ada).patch(url(jane), {"email": "jane@new.example"}))

    assert (record["username"], record["email"]) == ("jane@new.example", "jane@new.example")


def test_an_email_of_another_user_is_refused_in_any_case(api, ada, jane, omar):
    client = api(ada)
    before = all_rows(User)

    status, word, errors = error_details(client.patch(url(jane), {"email": "OMAR@example.org"}))

    assert (status, word, list(errors)) == (400, "validation_error", ["email"])
    assert all_rows(User) == before


# --- Versions -------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", ["smith", "ada", "jane"])
def test_each_change_creates_a_version_with_its_author(api, jane, writer, request):
    actor = request.getfixturevalue(writer)
    start = versions(jane)

    data(api(actor).patch(url(jane), {"phone": "112"}))
    data(api(actor).put(url(jane), {"first_name": "J", "last_name": "D", "phone": "113"}))

    assert versions(jane) == [*start, ("~", actor, "112"), ("~", actor, "113")]


def test_a_refused_change_creates_no_version(api, smith, jane):
    data(api(smith).patch(url(jane), {"phone": "112"}))
    start = versions(jane)

    refused = api(smith).patch(url(jane), {"phone": "113", "email": "x@new.example"})

    assert status_and_code(refused) == (400, "validation_error")
    assert len(start) > 0
    assert versions(jane) == start


def test_versions_contain_no_password(api, jane):
    columns = {field.name for field in User.history.model._meta.get_fields()}

    assert columns & {"password", "last_login"} == set()
