import runpy
from pathlib import Path

import pytest
from django.conf import settings as real_settings
from rest_framework.throttling import SimpleRateThrottle

from accounts.auth.sessions import open_session
from accounts.models import User
from accounts.tests.factories import PASSWORD, UserFactory
from accounts.tests.helpers import data, refresh, sign_in, status_and_code

pytestmark = pytest.mark.django_db

SETTINGS = Path(real_settings.BASE_DIR) / "config" / "settings.py"
GUESSING = {
    "login": {"username": "jane", "password": "wrong-horse-battery"},
    "password/reset": {"email": "jane@example.com"},
    "password/reset/confirm": {"uid": "MQ", "token": "guess", "new_password": PASSWORD},
}
THROTTLED = (429, "throttled")


@pytest.fixture(autouse=True)
def without_lockout(settings):
    """What is counted here is requests, whatever came of them."""
    settings.LOCKOUT_FAILURES = settings.LOCKOUT_FAILURES_PER_ADDRESS = 0


class Clock:
    now = 1_000_000.0


@pytest.fixture
def clock(monkeypatch):
    """The throttles' clock, which stands still unless moved."""
    clock = Clock()
    monkeypatch.setattr(SimpleRateThrottle, "timer", lambda self: clock.now)
    return clock


@pytest.fixture
def rates(monkeypatch):
    """Sets the rates, as the settings would at the start."""

    def set_rates(**rates):
        monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", rates)

    return set_rates


def knock(client, door, **extra):
    return client.post(f"/api/auth/{door}/", GUESSING[door], **extra)


def settings_with(monkeypatch, **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(SETTINGS))["REST_FRAMEWORK"]


def test_the_documented_rates_hold(settings):
    assert settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] == {
        "user": "600/min",
        "login": "10/min",
        "register": "20/hour",
    }
    assert settings.REST_FRAMEWORK["NUM_PROXIES"] == 0


def test_the_rates_are_settings(monkeypatch):
    read = settings_with(
        monkeypatch,
        THROTTLE_LOGIN="3/min",
        THROTTLE_REGISTER="4/day",
        THROTTLE_USER="5/sec",
        NUM_PROXIES="2",
    )

    assert read["DEFAULT_THROTTLE_RATES"] == {
        "user": "5/sec",
        "login": "3/min",
        "register": "4/day",
    }
    assert read["NUM_PROXIES"] == 2


def test_there_are_no_rates_while_debug_is_on(monkeypatch):
    read = settings_with(monkeypatch, DEBUG="true", THROTTLE_LOGIN="3/min")

    assert read["DEFAULT_THROTTLE_RATES"] == {"user": None, "login": None, "register": None}


@pytest.mark.parametrize("door", GUESSING)
def test_every_door_to_guess_at_closes_after_ten_attempts(api, clock, door):
    UserFactory(username="jane")

    answers = [knock(api(), door) for _ in range(12)]

    assert THROTTLED not in {(answer.status_code, "throttled") for answer in answers[:10]}
    assert [status_and_code(answer) for answer in answers[10:]] == [THROTTLED] * 2


def test_the_doors_share_one_count(api, clock):
    for door in ["login"] * 5 + ["password/reset/confirm"] * 5:
        knock(api(), door)

    assert status_and_code(knock(api(), "password/reset")) == THROTTLED


def test_who_is_signed_in_already_is_not_held_up_at_the_door(api, clock):
    tokens = open_session(UserFactory())
    for _ in range(11):
        knock(api(), "login")

    refreshed = [refresh(api(), tokens["refresh"]) for _ in range(12)]

    assert [answer.status_code for answer in refreshed] == [200] + [409] * 11


def test_the_right_password_does_not_open_a_closed_door_but_time_does(api, clock):
    UserFactory(username="jane")
    for _ in range(10):
        knock(api(), "login")

    closed = sign_in(api(), "jane", PASSWORD)
    clock.now += int(closed["Retry-After"])
    opened = sign_in(api(), "jane", PASSWORD)

    assert status_and_code(closed) == THROTTLED
    assert opened.status_code == 200


def test_the_answer_says_when_to_come_back(api, clock):
    for _ in range(10):
        knock(api(), "login")
    clock.now += 45

    response = knock(api(), "login")
    clock.now += 14
    too_early = knock(api(), "login")
    clock.now += int(response["Retry-After"]) - 14
    in_time = knock(api(), "login")

    assert response.json()["message"] == "Request was throttled. Expected available in 15 seconds."
    assert (too_early.status_code, in_time.status_code) == (429, 401)


def test_an_attempt_counts_whatever_is_in_it(api, clock):
    for body in ["[]", "{", "{}", '{"username": 1}', "\xff"] * 2:
        api().post("/api/auth/login/", body, content_type="application/json")

    assert status_and_code(knock(api(), "login")) == THROTTLED


def test_another_address_is_not_held_up(api, clock):
    for _ in range(11):
        knock(api(), "login", REMOTE_ADDR="10.0.0.1")

    assert knock(api(), "login", REMOTE_ADDR="10.0.0.1").status_code == 429
    assert knock(api(), "login", REMOTE_ADDR="10.0.0.2").status_code == 401


def test_whoever_holds_a_whole_network_of_ipv6_is_one_caller(api, clock):
    answers = [knock(api(), "login", REMOTE_ADDR=f"2001:db8:1:2::{n:x}") for n in range(11)]
    registered = [
        api().post("/api/auth/register/", {}, REMOTE_ADDR=f"2001:db8:1:2::{n:x}") for n in range(21)
    ]
    neighbour = knock(api(), "login", REMOTE_ADDR="2001:db8:1:3::1")

    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert [answer.status_code for answer in registered] == [400] * 20 + [429]
    assert neighbour.status_code == 401


def test_a_stranger_has_one_rate_for_everything_whichever_of_his_addresses_he_uses(
    api, clock, rates
):
    rates(user="3/min", login=None, register=None)

    answers = [
        api().post("/api/auth/refresh/", {"refresh": "x"}, REMOTE_ADDR=f"2001:db8:1:2::{n:x}")
        for n in range(4)
    ]

    assert [answer.status_code for answer in answers] == [401] * 3 + [429]


def test_the_port_a_proxy_writes_makes_no_new_address(api, clock, proxies_are):
    proxies_are(1)

    answers = [knock(api(), "login", HTTP_X_FORWARDED_FOR=f"10.0.0.1:{port}") for port in range(11)]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429]


def test_a_header_anyone_can_write_makes_no_new_address(api, clock):
    answers = [
        knock(api(), "login", HTTP_X_FORWARDED_FOR=f"10.0.0.{n}", HTTP_X_REAL_IP=f"10.0.1.{n}")
        for n in range(11)
    ]

    assert status_and_code(answers[-1]) == THROTTLED


def test_the_old_password_cannot_be_guessed_faster_from_many_addresses(api, clock):
    jane, paul = UserFactory(), UserFactory()
    client = api(jane)
    guess = {"old_password": "wrong-horse-battery", "new_password": "an-even-better-battery"}

    answers = [
        client.post("/api/auth/password/change/", guess, REMOTE_ADDR=f"10.0.0.{n}")
        for n in range(11)
    ]

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert api(paul).post("/api/auth/password/change/", guess).status_code == 400
    assert User.objects.get(pk=jane.pk).password == jane.password


def test_the_password_cannot_be_guessed_at_the_profile_either(api, clock):
    jane = UserFactory(email="jane@example.com")
    client = api(jane)
    guess = {"email": "new@example.com", "current_password": "wrong-horse-battery"}

    answers = [client.patch("/api/auth/profile/", guess) for _ in range(11)]
    plain = client.patch("/api/auth/profile/", {"phone": "030 1"})

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert plain.status_code == 200


def test_registration_has_a_count_of_its_own(api, clock):
    for _ in range(20):
        api().post("/api/auth/register/", {})

    closed = api().post("/api/auth/register/", {})

    assert status_and_code(closed) == THROTTLED
    assert 3600 <= int(closed["Retry-After"]) <= 3601
    assert knock(api(), "login").status_code == 401


def test_who_wants_out_is_never_held_up_at_the_door(api, clock):
    for _ in range(11):
        knock(api(), "login")

    response = api().post("/api/auth/logout/", {"refresh": "guess"})

    assert response.status_code == 401


def test_a_person_has_a_rate_for_everything(api, clock, rates):
    rates(user="3/min", login=None, register=None)
    client, other = api(UserFactory()), api(UserFactory())

    answers = [client.get("/api/auth/profile/") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200] * 3 + [429]
    assert other.get("/api/auth/profile/").status_code == 200


def test_without_a_rate_no_door_closes(api, clock, rates):
    rates(user=None, login=None, register=None)

    answers = [knock(api(), "login") for _ in range(15)]
    registered = [api().post("/api/auth/register/", {}) for _ in range(25)]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.status_code for answer in registered} == {400}


def test_a_throttled_registration_makes_nobody(api, clock, rates):
    rates(user=None, login=None, register="1/min")
    body = {
        "username": "jane",
        "email": "jane@example.com",
        "password": PASSWORD,
        "user_type": "patient",
        "first_name": "Jane",
        "last_name": "Doe",
    }
    data(api().post("/api/auth/register/", body), 201)

    response = api().post(
        "/api/auth/register/", body | {"username": "paul", "email": "paul@example.com"}
    )

    assert status_and_code(response) == THROTTLED
    assert User.objects.count() == 1
