"""A clinic with one record of each kind, and a browser in which its admin is signed in."""

from io import StringIO

import pytest
import yaml
from django.core.management import call_command

from accounts.auth import lockout
from accounts.auth.sessions import open_session
from config.tests.personas import build_clinic


@pytest.fixture
def clinic(db):
    return build_clinic()


@pytest.fixture
def admin_client(client, clinic):
    client.force_login(clinic.ada)
    return client


@pytest.fixture
def browser(admin_client, clinic):
    """Ada's browser, in a clinic with a row in every list; errors become responses."""
    lockout.attempt_for("jane", "10.0.0.1").consume()
    open_session(clinic.jane)
    admin_client.raise_request_exception = False
    return admin_client


@pytest.fixture(scope="session")
def schema():
    out = StringIO()
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=out)
    return yaml.safe_load(out.getvalue())


@pytest.fixture(scope="session")
def operations(schema):
    return {
        (method.upper(), path): operation
        for path, methods in schema["paths"].items()
        for method, operation in methods.items()
    }
