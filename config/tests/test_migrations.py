from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command


@pytest.mark.django_db
def test_models_and_migrations_agree():
    call_command("makemigrations", check=True, dry_run=True, stdout=StringIO())


def test_every_clinical_record_keeps_its_versions():
    versioned = {
        model.__name__
        for model in apps.get_models()
        if not model._meta.proxy and hasattr(model._meta, "simple_history_manager_attribute")
    }

    assert versioned == {"User", "Consultation", "VitalSigns", "Prescription", "ConsultationNote"}
