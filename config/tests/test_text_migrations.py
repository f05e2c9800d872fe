"""Texts that are older than their limit: no upgrade loses them, and they can be read."""

import pytest
from django.core.management import call_command
from django.db import connection

from accounts.models import User
from accounts.tests.helpers import data
from config.db.length_migrations import TextTooLongError

BEFORE = ("accounts", "0009_as_the_clinic_grows")
SENTENCE = (
    "accounts_user.medical_history may have at most 10000 characters. "
    "Longer, with their lengths: id {pk} (10001)."
)


@pytest.fixture
def old_patient(migrated_to):
    """The id of a patient of the previous release, whose history is too long."""
    users = migrated_to(*BEFORE).get_model("accounts", "User").objects
    patient = users.create(username="old", user_type="patient", medical_history="x" * 10_001)
    yield patient.pk
    with connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_user SET medical_history = ''")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL adds it as NOT VALID")
def test_sqlite_stops_before_the_change_and_names_the_rows(old_patient):
    with pytest.raises(TextTooLongError) as error:
        call_command("migrate", verbosity=0)

    assert str(error.value).splitlines() == [
        SENTENCE.format(pk=old_patient),
        "Nothing was changed. Shorten these texts with the previous release, then migrate.",
    ]
    with connection.cursor() as cursor:
        cursor.execute("SELECT LENGTH(medical_history) FROM accounts_user WHERE username = 'old'")
        assert cursor.fetchall() == [(10_001,)]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no NOT VALID")
def test_postgresql_keeps_the_rows_and_names_them(old_patient, caplog, api):
    call_command("migrate", verbosity=0)

    sentence = "These rows cannot be changed until the texts are shorter."
    assert caplog.messages == [
        f"{SENTENCE.format(pk=old_patient)} {sentence}",
        f"Account {old_patient} is not found by name before its texts are shortened.",
    ]
    patient = User.objects.get(pk=old_patient)
    url = "/api/auth/profile/"
    assert data(api(patient).get(url))["medical_history"] == "x" * 10_001
    refused = api(patient).patch(url, {"phone": "+49 30 1"})
    assert (refused.status_code, list(refused.json()["errors"])) == (400, ["medical_history"])
    shorter = {"medical_history": "x", "phone": "+49 30 1"}
    assert data(api(patient).patch(url, shorter))["phone"] == "+49 30 1"
    assert "49301" in User.objects.get(pk=old_patient).search_text.split()
