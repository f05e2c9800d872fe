"""A clinic with one record of each kind, and a browser in which its admin is signed in."""

import pytest

from config.tests.personas import build_clinic


@pytest.fixture
def clinic(db):
    return build_clinic()


@pytest.fixture
def admin_client(client, clinic):
    client.force_login(clinic.ada)
    return client
