"""A clinic with one of each, and its admin at the desk."""

import pytest

from config.tests.personas import build_clinic


@pytest.fixture
def clinic(db):
    return build_clinic()


@pytest.fixture
def desk(client, clinic):
    client.force_login(clinic.ada)
    return client
