"""What holds at the door however many come at once, whatever the engine."""

from collections import Counter

import pytest

from accounts.tests import builders

pytestmark = pytest.mark.django_db(transaction=True)

WRONG = (401, "invalid_credentials", "detail")
LOCKED = (429, "throttled", "detail")
ROUNDS = 3


def race(callers, scene):
    """What was answered, how often, and what there is afterwards."""
    calls = callers.at_the_desk(scene)
    answers = callers.all_at_once(builders.knock, calls)
    return (
        Counter(answer for each in answers for answer in each),
        callers.at_the_desk(builders.what_there_is),
    )


@pytest.mark.parametrize(
    "scene",
    [
        builders.eight_guess_at_one_account,
        builders.eight_guess_at_nobody,
        builders.eight_guess_again_later,
    ],
)
def test_of_forty_eight_guesses_at_once_exactly_ten_are_looked_at(callers, scene):
    for _ in range(ROUNDS):
        answers, (_, _, counts) = race(callers, scene)

        assert answers == {WRONG: 10, LOCKED: 38}
        assert counts == {10: 1}


@pytest.mark.parametrize(
    ("scene", "field"),
    [(builders.six_register_one_name, "username"), (builders.six_register_one_address, "email")],
)
def test_of_six_who_register_one_name_in_any_case_exactly_one_gets_it(callers, scene, field):
    for _ in range(ROUNDS):
        answers, (people, _, _) = race(callers, scene)

        assert answers == {(201, None): 1, (400, "validation_error", field): 5}
        assert people == 1


def test_of_six_who_refresh_with_one_token_exactly_one_gets_a_new_one(callers):
    for _ in range(ROUNDS):
        answers, (_, sessions, _) = race(callers, builders.six_refresh_one_token)

        assert answers == {(200, None): 1, (409, "refresh_superseded", "refresh"): 5}
        assert sessions == 1
