"""Fixtures of this app's tests."""

import pytest


@pytest.fixture
def proxies_are(settings):
    """Sets how many proxies stand in front, as NUM_PROXIES would at the start."""

    def set_number(number):
        settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": number}

    return set_number
