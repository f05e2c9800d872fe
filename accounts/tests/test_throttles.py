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
ATTEMPTS = {
    "login": {"username": "jane", "password": "wrong-horse-battery"},
    "password/reset": {"email": "jane@example.com"},
    "password/reset/confirm": {"uid": "MQ", "token": "guess", "new_password": PASSWORD},
}
THROTTLED = (429, "throttled")


@pytest.fixture(autouse=True)
def without_lockout(settings):
    """Disables the lockout, so that only the throttles count requests."""
    settings.LOCKOUT_FAILURES = settings.LOCKOUT_FAILURES_PER_ADDRESS = 0


class Clock:
    now = 1_000_000.0


@pytest.fixture
def clock(monkeypatch):
    """The clock of the throttles; it stands still unless a test moves it."""
    clock = Clock()
    monkeypatch.setattr(SimpleRateThrottle, "timer", lambda self: clock.now)
    return clock


@pytest.fixture
def rates(monkeypatch):
    """Sets the throttle rates, as the settings would."""

    def set_rates(**rates):
        every = {"register_network": None} | rates
        monkeypatch.setattr(SimpleRateThrottle, "THROTTLE_RATES", every)

    return set_rates


def post_attempt(client, endpoint, **extra):
    return client.post(f"/api/auth/{endpoint}/", ATTEMPTS[endpoint], **extra)


def settings_with(monkeypatch, **environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(SETTINGS))["REST_FRAMEWORK"]


def test_the_default_rates_match_the_documentation(settings):
    assert settings.REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"] == {
        "user": "600/min",
        "login": "10/min",
        "register": "20/hour",
        "register_network": "100/day",
    }
    assert settings.REST_FRAMEWORK["NUM_PROXIES"] == 0


def test_the_rates_are_settings(monkeypatch):
    read = settings_with(
        monkeypatch,
        THROTTLE_LOGIN="3/min",
        THROTTLE_REGISTER="4/day",
        THROTTLE_REGISTER_NETWORK="6/day",
        THROTTLE_USER="5/sec",
        NUM_PROXIES="2",
    )

    assert read["DEFAULT_THROTTLE_RATES"] == {
        "user": "5/sec",
        "login": "3/min",
        "register": "4/day",
        "register_network": "6/day",
    }
    assert read["NUM_PROXIES"] == 2


def test_debug_disables_the_rates(monkeypatch):
    read = settings_with(monkeypatch, DEBUG="true", THROTTLE_LOGIN="3/min")

    assert read["DEFAULT_THROTTLE_RATES"] == {
        "user": None,
        "login": None,
        "register": None,
        "register_network": None,
    }


@pytest.mark.parametrize("endpoint", ATTEMPTS)
def test_every_password_endpoint_is_throttled_after_ten_attempts(api, clock, endpoint):
    UserFactory(username="jane")

    answers = [post_attempt(api(), endpoint) for _ in range(12)]

    assert THROTTLED not in {(answer.status_code, "throttled") for answer in answers[:10]}
    assert [status_and_code(answer) for answer in answers[10:]] == [THROTTLED] * 2


def test_the_password_endpoints_share_one_count(api, clock):
    for endpoint in ["login"] * 5 + ["password/reset/confirm"] * 5:
        post_attempt(api(), endpoint)

    assert status_and_code(post_attempt(api(), "password/reset")) == THROTTLED


def test_a_refresh_is_not_throttled_by_login_attempts(api, clock):
    tokens = open_session(UserFactory())
    for _ in range(11):
        post_attempt(api(), "login")

    refreshed = [refresh(api(), tokens["refresh"]) for _ in range(12)]

    assert [answer.status_code for answer in refreshed] == [200] + [409] * 11


def test_a_throttled_login_succeeds_only_after_the_wait(api, clock):
    UserFactory(username="jane")
    for _ in range(10):
        post_attempt(api(), "login")

    closed = sign_in(api(), "jane", PASSWORD)
    clock.now += int(closed["Retry-After"])
    opened = sign_in(api(), "jane", PASSWORD)

    assert status_and_code(closed) == THROTTLED
    assert opened.status_code == 200


def test_a_throttled_response_says_how_long_to_wait(api, clock):
    for _ in range(10):
        post_attempt(api(), "login")
    clock.now += 45

    response = post_attempt(api(), "login")
    clock.now += 14
    too_early = post_attempt(api(), "login")
    clock.now += int(response["Retry-After"]) - 14
    in_time = post_attempt(api(), "login")

    assert response.json()["message"] == "Request was throttled. Expected available in 15 seconds."
    assert (too_early.status_code, in_time.status_code) == (429, 401)


def test_an_invalid_body_counts_as_an_attempt(api, clock):
    for body in ["[]", "{", "{}", '{"username": 1}', "\xff"] * 2:
        api().post("/api/auth/login/", body, content_type="application/json")

    assert status_and_code(post_attempt(api(), "login")) == THROTTLED


def test_another_ip_address_is_not_throttled(api, clock):
    for _ in range(11):
        post_attempt(api(), "login", REMOTE_ADDR="10.0.0.1")

    assert post_attempt(api(), "login", REMOTE_ADDR="10.0.0.1").status_code == 429
    assert post_attempt(api(), "login", REMOTE_ADDR="10.0.0.2").status_code == 401


def test_an_ipv6_network_counts_as_one_caller(api, clock):
    answers = [post_attempt(api(), "login", REMOTE_ADDR=f"2001:db8:1:2::{n:x}") for n in range(11)]
    registered = [
        api().post("/api/auth/register/", {}, REMOTE_ADDR=f"2001:db8:1:2::{n:x}") for n in range(21)
    ]
    neighbour = post_attempt(api(), "login", REMOTE_ADDR="2001:db8:1:3::1")

    assert [answer.status_code for answer in answers] == [401] * 10 + [429]
    assert [answer.status_code for answer in registered] == [400] * 20 + [429]
    assert neighbour.status_code == 401


def test_an_anonymous_ipv6_network_shares_one_user_rate(api, clock, rates):
    rates(user="3/min", login=None, register=None)

    answers = [
        api().post("/api/auth/refresh/", {"refresh": "x"}, REMOTE_ADDR=f"2001:db8:1:2::{n:x}")
        for n in range(4)
    ]

    assert [answer.status_code for answer in answers] == [401] * 3 + [429]


def test_the_port_in_a_forwarded_address_is_ignored(api, clock, set_num_proxies):
    set_num_proxies(1)

    answers = [
        post_attempt(api(), "login", HTTP_X_FORWARDED_FOR=f"10.0.0.1:{port}") for port in range(11)
    ]

    assert [answer.status_code for answer in answers] == [401] * 10 + [429]


def test_a_forged_header_does_not_change_the_ip_address(api, clock):
    answers = [
        post_attempt(
            api(), "login", HTTP_X_FORWARDED_FOR=f"10.0.0.{n}", HTTP_X_REAL_IP=f"10.0.1.{n}"
        )
        for n in range(11)
    ]

    assert status_and_code(answers[-1]) == THROTTLED


def test_password_changes_are_throttled_per_user_across_ip_addresses(api, clock):
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


def test_email_changes_at_the_profile_are_throttled(api, clock):
    jane = UserFactory(email="jane@example.com")
    client = api(jane)
    guess = {"email": "new@example.com", "current_password": "wrong-horse-battery"}

    answers = [client.patch("/api/auth/profile/", guess) for _ in range(11)]
    plain = client.patch("/api/auth/profile/", {"phone": "030 1"})

    assert [answer.status_code for answer in answers] == [400] * 10 + [429]
    assert plain.status_code == 200


def test_registration_has_its_own_rate(api, clock):
    for _ in range(20):
        api().post("/api/auth/register/", {})

    closed = api().post("/api/auth/register/", {})

    assert status_and_code(closed) == THROTTLED
    assert 3600 <= int(closed["Retry-After"]) <= 3601
    assert post_attempt(api(), "login").status_code == 401


def test_logout_is_not_throttled_by_login_attempts(api, clock):
    for _ in range(11):
        post_attempt(api(), "login")

    response = api().post("/api/auth/logout/", {"refresh": "guess"})

    assert response.status_code == 401


def test_a_user_has_a_rate_for_all_requests(api, clock, rates):
    rates(user="3/min", login=None, register=None)
    client, other = api(UserFactory()), api(UserFactory())

    answers = [client.get("/api/auth/profile/") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200] * 3 + [429]
    assert other.get("/api/auth/profile/").status_code == 200


def test_without_rates_nothing_is_throttled(api, clock, rates):
    rates(user=None, login=None, register=None)

    answers = [post_attempt(api(), "login") for _ in range(15)]
    registered = [api().post("/api/auth/register/", {}) for _ in range(25)]

    assert {answer.status_code for answer in answers} == {401}
    assert {answer.status_code for answer in registered} == {400}


def test_a_throttled_registration_creates_no_account(api, clock, rates):
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


@pytest.mark.parametrize(
    ("addresses", "neighbour"),
    [
        (["198.51.100.1", "198.51.100.77", "198.51.100.254"], "198.51.101.1"),
        (["2001:db8:0:1::1", "2001:db8:0:2::1", "2001:db8:0:ff::1"], "2001:db8:0:100::1"),
    ],
)
def test_registrations_are_counted_per_network(api, clock, rates, addresses, neighbour):
    rates(user=None, login=None, register=None, register_network="2/day")

    answers = [api().post("/api/auth/register/", {}, REMOTE_ADDR=one) for one in addresses]
    other = api().post("/api/auth/register/", {}, REMOTE_ADDR=neighbour)

    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert answers[-1]["Retry-After"] == "86400"
    assert other.status_code == 400
    assert post_attempt(api(), "login", REMOTE_ADDR=addresses[0]).status_code == 401


def test_an_ipv6_network_shares_its_registrations_with_its_64_networks(api, clock):
    answers = [
        api().post("/api/auth/register/", {}, REMOTE_ADDR=f"2001:db8:0:{n:x}::1")
        for n in range(101)
    ]

    assert [answer.status_code for answer in answers] == [400] * 100 + [429]
