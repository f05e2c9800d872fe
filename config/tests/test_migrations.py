from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command

from accounts.models import IdempotencyKey
from config.clinical_records import clinical_records


@pytest.mark.django_db
def test_migrations_match_the_models():
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


def test_every_clinical_record_has_a_history_model():
    versioned = {
        model.__name__
        for model in apps.get_models()
        if not model._meta.proxy and hasattr(model._meta, "simple_history_manager_attribute")
    }

    with_versions = {one.model.__name__ for one in clinical_records() if one.versions}
    assert versioned == {"User", *with_versions}
    assert {"Consultation", "VitalSigns", "Prescription", "ConsultationNote"} <= with_versions


def test_the_migration_of_idempotency_keys_keeps_their_result(migrated_to):
    then = migrated_to("accounts", "0003_version")
    jane = then.get_model("accounts", "User").objects.create(username="jane")
    keys = then.get_model("accounts", "IdempotencyKey").objects
    keys.create(user=jane, key="done", record=7, status_code=201)
    keys.create(user=jane, key="not done", record=None)

    call_command("migrate", "accounts", verbosity=0)

    assert dict(IdempotencyKey.objects.values_list("key", "made")) == {"done": 7, "not done": None}
