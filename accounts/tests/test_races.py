"""Races of logins, registrations and refreshes on both database engines."""

from collections import Counter

import pytest

from accounts.tests import builders

pytestmark = pytest.mark.django_db(transaction=True)

WRONG = (401, "invalid_credentials", "detail")
LOCKED = (429, "throttled", "detail")
ROUNDS = 3


def race(callers, scenario):
    """Runs the scenario; returns a count of the responses and the database state afterwards."""
    calls = callers.run(scenario)
    answers = callers.run_concurrently(builders.send_requests, calls)
    return (
        Counter(answer for each in answers for answer in each),
        callers.run(builders.database_state),
    )


@pytest.mark.parametrize(
    "scenario",
    [
        builders.password_attempts_at_one_account,
        builders.password_attempts_at_unknown_account,
        builders.password_attempts_after_lockout,
    ],
)
def test_48_concurrent_password_attempts_check_exactly_ten(callers, scenario):
    for _ in range(ROUNDS):
        answers, (_, _, counts) = race(callers, scenario)

        assert answers == {WRONG: 10, LOCKED: 38}
        assert counts == {10: 1}


def test_six_concurrent_registrations_of_one_name_create_one_account(callers):
    for _ in range(ROUNDS):
        answers, (people, _, _) = race(callers, builders.registrations_with_one_username)

        assert answers == {(201, None): 1, (400, "validation_error", "username"): 5}
        assert people == 1


def test_of_six_concurrent_registrations_with_one_address_one_has_it(callers):
    """The others wait for the proof of the address, or are refused by the database."""
    for _ in range(ROUNDS):
        answers, (people, _, _) = race(callers, builders.registrations_with_one_email)

        assert answers.keys() <= {(201, None), (400, "validation_error", "email")}
        assert people == answers[201, None]
        assert callers.run(builders.addresses) == 1


def test_six_concurrent_refreshes_of_one_token_rotate_it_once(callers):
    for _ in range(ROUNDS):
        answers, (_, sessions, _) = race(callers, builders.refreshes_of_one_token)

        assert answers == {(200, None): 1, (409, "refresh_superseded", "refresh"): 5}
        assert sessions == 1
