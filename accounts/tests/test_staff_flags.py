"""Rights come from the role. The staff flags, which Django requires, give none."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.test import RequestFactory

from accounts import services
from accounts.tests.factories import AdminFactory, DoctorFactory, UserFactory

pytestmark = pytest.mark.django_db

APPS = ["accounts", "patients", "appointments", "consultations", "config"]


def with_flags(person):
    """As a row would be that has the flags without the role; the database refuses such rows."""
    person.is_staff = person.is_superuser = True
    return person


@pytest.mark.parametrize("person", [DoctorFactory, UserFactory])
def test_the_staff_flags_do_not_let_anybody_change_the_email_of_others(person):
    jane = UserFactory(email="jane@example.com")

    with pytest.raises(ValidationError, match="Only the user or an administrator"):
        services.update_profile(jane, by=with_flags(person()), email="new@example.com")

    jane.refresh_from_db()
    assert jane.email == "jane@example.com"


@pytest.mark.parametrize(
    ("person", "may"),
    [
        (AdminFactory, True),
        (lambda: AdminFactory(is_active=False), False),
        (lambda: with_flags(DoctorFactory()), False),
        (lambda: with_flags(UserFactory()), False),
        (AnonymousUser, False),
    ],
)
def test_the_role_decides_who_enters_the_admin_and_changes_there(person, may):
    request = RequestFactory().get("/admin/")
    request.user = person()

    assert admin.site.has_permission(request) is may
    assert request.user.has_perm("accounts.change_user") is may
    assert request.user.has_module_perms("accounts") is may


def test_no_code_but_that_of_the_user_model_reads_the_flags():
    reads_flags = re.compile(r"\bis_(staff|superuser)\b|IsAdminUser")

    found = {
        str(path.relative_to(settings.BASE_DIR))
        for app in APPS
        for path in (settings.BASE_DIR / app).rglob("*.py")
        if not {"tests", "migrations"} & set(Path(path).parts)
        and reads_flags.search(path.read_text())
    }

    assert found == {"accounts/models/user.py"}
