"""Fixtures of the tests of accounts."""

import pytest


@pytest.fixture
def set_num_proxies(settings):
    """Sets NUM_PROXIES, the number of reverse proxies in front of the application."""

    def set_number(number):
        settings.REST_FRAMEWORK = settings.REST_FRAMEWORK | {"NUM_PROXIES": number}

    return set_number
