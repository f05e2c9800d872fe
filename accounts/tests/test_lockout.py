"""The lockout: ten failed logins of an account or a hundred of an IP address."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.core.management import call_command
from django.db.models import F
from django.test import Client, TestCase
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts import services
from accounts.auth.sessions import open_session
from accounts.models import LoginCounter, Session, User
from accounts.tests.factories import PASSWORD, AdminFactory, UserFactory
from accounts.tests.helpers import (
    data,
    error_details,
    link_params,
    profile,
    refresh,
    sent_mail,
    sign_in,
    status_and_code,
)
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

WRONG = "wrong-horse-battery"
NEW = "an-even-better-battery"
THROTTLED = (429, "throttled")
CHANGE = "/api/auth/password/change/"
PROFILE = "/api/auth/profile/"


class CountingHasher(MD5PasswordHasher):
    """Counts the password checks."""

    checks = 0

    def encode(self, password, salt):
        CountingHasher.checks += 1
        return super().encode(password, salt)


@pytest.fixture(autouse=True)
def password_checks(settings, monkeypatch):
    """Returns the number of password checks since the last call; disables throttling."""
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    monkeypatch.setattr("rest_framework.throttling.SimpleRateThrottle.THROTTLE_RATES",
                        {"user": None, "login": None, "register": None})  # fmt: skip

    def since_last_call():
        seen, CountingHasher.checks = CountingHasher.checks, 0
        return seen

    return since_last_call


def shift_expiry(**time):
    LoginCounter.objects.update(expires_at=F("expires_at") - timedelta(**time))


def attempts(api, name, number, password=WRONG, **headers):
    return [sign_in(api(**headers), name, password) for _ in range(number)]


def status_codes(answers):
    return [answer.status_code for answer in answers]


def page_login(name, password, path="/admin/login/"):
    return Client().post(path, {"username": name, "password": password})


def test_after_ten_failures_no_password_is_checked_not_even_the_right_one(api, password_checks):
    UserFactory(username="jane")
    password_checks()

    wrong = attempts(api, "jane", 12)
    checked = password_checks()
    right = sign_in(api(), "jane", PASSWORD)

    assert status_codes(wrong) == [401] * 10 + [429] * 2
    assert error_details(right) == (
        *THROTTLED,
        {"detail": ["Too many failed sign-ins. Please try again later."]},
    )
    assert 890 <= int(right["Retry-After"]) <= 900
    assert (checked, password_checks()) == (10, 0)
    assert not Session.objects.exists()


def test_the_lockout_ends_after_fifteen_minutes(api):
    UserFactory(username="jane")
    attempts(api, "jane", 11)

    shift_expiry(minutes=14, seconds=58)
    early = sign_in(api(), "jane", PASSWORD)
    shift_expiry(seconds=3)
    late = sign_in(api(), "jane", PASSWORD)

    assert status_and_code(early) == THROTTLED
    assert int(early["Retry-After"]) <= 2
    assert late.status_code == 200


def test_attempts_during_a_lockout_do_not_extend_it(api):
    UserFactory(username="jane")
    attempts(api, "jane", 10)
    end = LoginCounter.objects.get(user__username="jane").expires_at

    attempts(api, "jane", 5)

    assert LoginCounter.objects.get(user__username="jane").expires_at == end


def test_no_fifteen_minutes_allow_more_than_ten_failures(api, password_checks):
    """A sliding window: nine failures, a pause of nearly fifteen minutes, and the next failures
    lock.
    """
    UserFactory(username="jane")
    attempts(api, "jane", 1)
    shift_expiry(minutes=14)
    nearly = attempts(api, "jane", 8)
    shift_expiry(minutes=2)
    password_checks()

    answers = attempts(api, "jane", 5)

    assert status_codes(nearly) == [401] * 8
    assert status_codes(answers) == [401] + [429] * 4
    assert password_checks() == 1


def test_a_successful_login_resets_the_failures(api):
    UserFactory(username="jane")

    answers = (
        attempts(api, "jane", 9) + attempts(api, "jane", 1, PASSWORD) + attempts(api, "jane", 9)
    )
    last = sign_in(api(), "jane", PASSWORD)

    assert status_codes(answers) == [401] * 9 + [200] + [401] * 9
    assert last.status_code == 200
    assert not LoginCounter.objects.filter(address=None).exists()


@pytest.mark.parametrize("proxies", [0, 1])
def test_another_ip_address_does_not_avoid_the_lockout(
    api, set_num_proxies, password_checks, proxies
):
    UserFactory(username="jane")
    set_num_proxies(proxies)
    password_checks()

    answers = [
        sign_in(api(REMOTE_ADDR=f"10.0.0.{n}", HTTP_X_FORWARDED_FOR=f"1.2.3.{n}"), "jane", WRONG)
        for n in range(30)
    ]

    assert status_codes(answers) == [401] * 10 + [429] * 20
    assert password_checks() == 10


USERNAMES = ["jane", "JANE", " jane ", "jane@example.com", "Jane@Example.COM"]


def test_username_and_email_in_any_case_count_as_one_account(api):
    UserFactory(username="jane")

    answers = [sign_in(api(), USERNAMES[n % len(USERNAMES)], WRONG) for n in range(12)]

    assert status_codes(answers) == [401] * 10 + [429] * 2
    assert LoginCounter.objects.filter(address=None).count() == 1


def test_a_locked_account_does_not_lock_other_accounts(api):
    UserFactory(username="jane")
    UserFactory(username="paul")
    attempts(api, "jane", 11)

    assert sign_in(api(), "paul", PASSWORD).status_code == 200
    assert sign_in(api(), "nobody", PASSWORD).status_code == 401


@pytest.mark.parametrize(
    "name", ["jane", "paul", "max", "nobody", "nobody@example.com", "%", "💊", "j" * 254]
)
def test_active_inactive_and_unknown_accounts_get_the_same_responses(
    api, password_checks, name, django_assert_num_queries
):
    UserFactory(username="jane")
    UserFactory(username="paul", is_active=False)
    services.register(username="max", first_name="Max", last_name="Doe")
    password_checks()

    answers = []
    # User; address; account; address, check or expiry; and once the audit's.
    for statements in [6] + [5] * 9 + [4] * 2:
        client = api()
        with django_assert_num_queries(statements):
            answers.append(sign_in(client, name.upper(), WRONG))
    work = password_checks()

    assert status_codes(answers) == [401] * 10 + [429] * 2
    assert work == 10
    bodies = [answer.json() | {"request_id": ""} for answer in answers]
    assert bodies[:10] == [bodies[0]] * 10
    assert bodies[10:] == [bodies[10]] * 2
    assert error_details(answers[0])[1:] == (
        "invalid_credentials",
        {"detail": ["The username or the password is wrong."]},
    )
    assert set(answers[10].headers) - {"Retry-After"} == set(answers[0].headers) - {
        "WWW-Authenticate"
    }


def test_the_submitted_username_is_not_stored(api):
    sign_in(api(), "my-password-typed-too-early", WRONG)

    kept = str(list(LoginCounter.objects.values()))
    assert "my-password" not in kept
    assert WRONG not in kept


def test_failures_of_one_ip_address_are_limited(api, password_checks, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 20
    UserFactory(username="jane")
    password_checks()

    answers = [sign_in(api(REMOTE_ADDR="10.0.0.1"), f"person{n}", WRONG) for n in range(23)]
    here = sign_in(api(REMOTE_ADDR="10.0.0.1"), "jane", PASSWORD)
    checked = password_checks()
    there = sign_in(api(REMOTE_ADDR="10.0.0.2"), "jane", PASSWORD)

    assert status_codes(answers) == [401] * 20 + [429] * 3
    assert status_and_code(here) == THROTTLED
    assert 890 <= int(here["Retry-After"]) <= 900
    assert checked == 20
    assert there.status_code == 200


def test_a_forged_header_does_not_change_the_ip_address(api, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 5

    answers = [
        sign_in(api(HTTP_X_FORWARDED_FOR=f"1.2.3.{n}"), f"person{n}", WRONG) for n in range(7)
    ]

    assert status_codes(answers) == [401] * 5 + [429] * 2


def test_behind_a_proxy_the_ip_address_is_the_one_added_by_the_proxy(
    api, settings, set_num_proxies
):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 5
    set_num_proxies(1)

    forged = [
        sign_in(api(HTTP_X_FORWARDED_FOR=f"6.6.6.{n}, 1.2.3.4"), f"person{n}", WRONG)
        for n in range(7)
    ]
    other = sign_in(api(HTTP_X_FORWARDED_FOR="6.6.6.6, 1.2.3.5"), "person9", WRONG)

    assert status_codes(forged) == [401] * 5 + [429] * 2
    assert other.status_code == 401


def test_an_ipv6_network_counts_as_one_ip_address(api, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 5

    answers = [
        sign_in(api(REMOTE_ADDR=f"2001:db8:1:2::{n:x}"), f"person{n}", WRONG) for n in range(7)
    ]
    neighbour = sign_in(api(REMOTE_ADDR="2001:db8:1:3::1"), "person9", WRONG)

    assert status_codes(answers) == [401] * 5 + [429] * 2
    assert neighbour.status_code == 401


def test_attempts_at_a_locked_account_count_no_address_and_write_no_rows(api, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 15
    UserFactory(username="paul")
    attempts(api, "jane", 10)
    rows = LoginCounter.objects.count()

    locked = [sign_in(api(REMOTE_ADDR=f"10.0.0.{n}"), "jane", WRONG) for n in range(20)]
    locked += attempts(api, "jane", 20)
    paul = sign_in(api(), "paul", PASSWORD)

    assert status_codes(locked) == [429] * 40
    assert LoginCounter.objects.count() == rows
    assert paul.status_code == 200


def test_attempts_from_a_locked_address_count_no_account_and_write_no_rows(api, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 5
    UserFactory(username="paul")
    for n in range(5):
        sign_in(api(), f"person{n}", WRONG)
    rows = LoginCounter.objects.count()

    locked = attempts(api, "paul", 20) + [sign_in(api(), f"other{n}", WRONG) for n in range(5)]
    rows_added = LoginCounter.objects.count() - rows
    paul = sign_in(api(REMOTE_ADDR="10.0.0.2"), "paul", PASSWORD)

    assert status_codes(locked) == [429] * 25
    assert rows_added == 0
    assert paul.status_code == 200


def test_many_successful_logins_from_one_address_do_not_lock_it(api, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 5
    UserFactory(username="jane")

    answers = attempts(api, "jane", 12, PASSWORD)

    assert status_codes(answers) == [200] * 12
    assert LoginCounter.objects.get().failures == 0


def test_failures_of_an_ip_address_expire_continuously(api, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 5
    answers = []
    for n in range(10):  # one every five minutes
        answers.append(sign_in(api(), f"person{n}", WRONG))
        shift_expiry(minutes=5)

    assert status_codes(answers) == [401] * 10


def test_an_account_is_counted_without_an_ip_address(api):
    UserFactory(username="jane")

    answers = attempts(api, "jane", 11, REMOTE_ADDR="")

    assert status_codes(answers) == [401] * 10 + [429]
    assert not LoginCounter.objects.exclude(address=None).exists()


@pytest.mark.parametrize("path", ["/admin/login/", "/api-auth/login/"])
def test_login_pages_share_the_count_and_explain_the_lockout(api, password_checks, path):
    AdminFactory(username="ada")
    attempts(api, "ada", 5)
    pages = [page_login("ADA", WRONG, path) for _ in range(5)]
    password_checks()

    locked = page_login("ada@example.com", PASSWORD, path)
    at_the_api = sign_in(api(), "ada", PASSWORD)

    assert status_codes(pages) == [200] * 5
    assert locked.status_code == 429
    assert 890 <= int(locked["Retry-After"]) <= 900
    assert "Too many failed sign-ins. Please try again later." in locked.content.decode()
    assert status_and_code(at_the_api) == THROTTLED
    assert password_checks() == 0


@pytest.mark.parametrize("path", ["/admin/login/", "/api-auth/login/"])
def test_a_login_at_a_page_resets_the_failures(path):
    AdminFactory(username="ada")
    for _ in range(9):
        page_login("ada", WRONG, path)

    page = page_login("ada", PASSWORD, path)

    assert page.status_code == 302
    assert not LoginCounter.objects.filter(address=None).exists()


def test_password_confirmations_of_a_signed_in_user_are_counted(api, password_checks):
    jane = UserFactory(username="jane")
    client = api(jane)
    password_checks()

    changing = [client.post(CHANGE, {"old_password": WRONG, "new_password": NEW}) for _ in range(5)]
    moving = [
        client.patch(PROFILE, {"email": "new@example.com", "current_password": WRONG})
        for _ in range(5)
    ]
    checked = password_checks()
    locked = [
        client.post(CHANGE, {"old_password": PASSWORD, "new_password": NEW}),
        client.patch(PROFILE, {"email": "new@example.com", "current_password": PASSWORD}),
        sign_in(api(), "jane", PASSWORD),
    ]

    assert status_codes(changing + moving) == [400] * 10
    assert [status_and_code(one) for one in locked] == [THROTTLED] * 3
    assert all("Retry-After" in one for one in locked)
    assert checked == 10
    assert password_checks() == 0
    assert client.get(PROFILE).status_code == 200
    assert User.objects.get().email == "jane@example.com"


def test_password_confirmations_at_the_patient_record_are_counted(api):
    jane = PatientFactory(username="jane")
    body = {"email": "new@example.com", "current_password": WRONG}

    answers = [api(jane).patch(f"/api/patients/{jane.pk}/", body) for _ in range(11)]

    assert status_codes(answers) == [400] * 10 + [429]


def test_other_errors_are_not_counted_as_failures(api):
    jane = UserFactory(username="jane")
    UserFactory(username="paul")
    client = api(jane)

    for _ in range(6):
        client.post(CHANGE, {"old_password": PASSWORD, "new_password": "short"})
        client.patch(PROFILE, {"email": "paul@example.com", "current_password": PASSWORD})
    changed = client.post(CHANGE, {"old_password": PASSWORD, "new_password": NEW})

    assert changed.status_code == 200


def test_an_unused_current_password_does_not_reset_the_failures(api):
    jane = UserFactory(username="jane")
    client = api(jane)
    attempts(api, "jane", 9)

    unused = client.patch(PROFILE, {"phone": "030 1", "current_password": WRONG})
    answers = attempts(api, "jane", 2)

    assert unused.status_code == 200
    assert status_codes(answers) == [401, 429]


def test_password_confirmations_in_the_admin_are_counted(api, client, password_checks):
    ada = AdminFactory(username="ada")
    client.force_login(ada)
    page = reverse("admin:accounts_user_change", args=[ada.pk])
    names = ["first_name", "last_name", "username", "phone", "gender", "address"]
    form = {name: getattr(ada, name) for name in names} | {"email": "new@example.com"}
    passwords = {"new_password1": NEW, "new_password2": NEW}
    password_checks()

    pages = [client.post(page, form | {"current_password": WRONG}) for _ in range(5)]
    pages += [
        client.post("/admin/password_change/", passwords | {"old_password": WRONG})
        for _ in range(5)
    ]
    checked = password_checks()
    locked = [
        client.post(page, form | {"current_password": PASSWORD}),
        client.post("/admin/password_change/", passwords | {"old_password": PASSWORD}),
        sign_in(api(), "ada", PASSWORD),
    ]

    assert status_codes(pages) == [200] * 10
    assert checked == 10
    assert status_codes(locked) == [429] * 3
    assert "Too many failed sign-ins. Please try again later." in locked[0].content.decode()
    assert "Too many failed sign-ins. Please try again later." in locked[1].content.decode()
    assert password_checks() == 0
    assert User.objects.get().email == "ada@example.com"
    assert client.get("/admin/").status_code == 200


def test_the_admin_password_page_accepts_the_right_password(client):
    ada = AdminFactory(username="ada")
    client.force_login(ada)
    passwords = {"old_password": PASSWORD, "new_password1": NEW, "new_password2": NEW}

    page = client.get("/admin/password_change/")
    done = client.post("/admin/password_change/", passwords)

    assert "Medical Platform" in page.content.decode()
    assert (done.status_code, done.url) == (302, "/admin/password_change/done/")
    assert User.objects.get().check_password(NEW)
    assert not LoginCounter.objects.exists()


def test_an_admin_lifts_a_lockout(api, client):
    UserFactory(username="jane")
    attempts(api, "jane", 11)
    attempts(api, "nobody", 2)
    client.force_login(AdminFactory())
    page = reverse("admin:accounts_logincounter_changelist")
    [janes] = LoginCounter.objects.filter(user__username="jane")

    listed = client.get(page).content.decode()
    client.post(page, {"action": "lift", "_selected_action": [janes.pk]})

    assert "unknown username" in listed
    assert "127.0.0.1" in listed
    assert sign_in(api(), "jane", PASSWORD).status_code == 200
    assert (
        LoginCounter.objects.exclude(address=None).get().failures == 12
    )  # the attempt during the lockout is not counted


def reset_by_email(jane, client):
    with TestCase.captureOnCommitCallbacks(execute=True):
        client.post("/api/auth/password/reset/", {"email": jane.email})
    [message] = sent_mail()
    link = link_params(message) | {"new_password": NEW}
    return client.post("/api/auth/password/reset/confirm/", link)


def reset_by_admin(jane, client):
    admin_client = Client()
    admin_client.force_login(AdminFactory())
    page = reverse("admin:accounts_user_set_password", args=[jane.pk])
    return admin_client.post(page, {"password": NEW, "password_again": NEW})


@pytest.mark.parametrize("way", [reset_by_email, reset_by_admin])
def test_a_new_password_lifts_the_lockout_of_its_account_only(api, settings, way):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 21
    jane = UserFactory(username="jane")
    UserFactory(username="paul")
    attempts(api, "jane", 11)
    attempts(api, "paul", 11)

    assert way(jane, api()).status_code in (200, 302)

    assert sign_in(api(), "jane", NEW).status_code == 200
    assert status_and_code(sign_in(api(), "paul", PASSWORD)) == THROTTLED
    assert status_codes(attempts(api, "jane", 2)) == [
        401,
        429,
    ]  # the IP address still has 20 failures


def test_an_invalid_reset_link_does_not_lift_the_lockout(api):
    jane = UserFactory(username="jane")
    attempts(api, "jane", 11)
    link = {"uid": urlsafe_base64_encode(force_bytes(jane.pk)), "token": "guess"}

    refused = api().post("/api/auth/password/reset/confirm/", link | {"new_password": NEW})

    assert refused.status_code == 400
    assert status_and_code(sign_in(api(), "jane", PASSWORD)) == THROTTLED


def test_a_signed_in_user_keeps_access_during_a_lockout(api):
    ada = AdminFactory(username="ada")
    tokens = open_session(ada)
    admin_client = Client()
    admin_client.force_login(ada)
    attempts(api, "ada", 11)

    renewed = data(refresh(api(), tokens["refresh"]))

    assert status_and_code(sign_in(api(), "ada", PASSWORD)) == THROTTLED
    assert profile(api(), renewed["access"]).status_code == 200
    assert admin_client.get("/admin/").status_code == 200


def test_deleting_an_account_deletes_its_count(api):
    jane = UserFactory(username="jane")
    attempts(api, "jane", 1)

    jane.delete()

    assert not LoginCounter.objects.filter(address=None).exists()


def test_prune_deletes_expired_counts_only(api, capsys):
    UserFactory(username="jane")
    attempts(api, "jane", 10)
    shift_expiry(minutes=15)
    attempts(api, "nobody", 10, REMOTE_ADDR="10.0.0.2")

    call_command("prune")

    assert (
        "Deleted 0 key(s), 2 count(s) of failed sign-ins, 0 session(s) and 0 letter(s). "
        "Freed 0 e-mail address(es)." in capsys.readouterr().out
    )
    assert LoginCounter.objects.count() == 2
    assert status_codes(attempts(api, "nobody", 1)) == [429]


def test_the_limits_are_settings(api, settings):
    settings.LOCKOUT_FAILURES, settings.LOCKOUT_MINUTES = 3, 1
    UserFactory(username="jane")

    answers = attempts(api, "jane", 4)
    shift_expiry(minutes=1)
    after = sign_in(api(), "jane", PASSWORD)

    assert status_codes(answers) == [401] * 3 + [429]
    assert int(answers[-1]["Retry-After"]) <= 60
    assert after.status_code == 200


def test_limits_of_zero_disable_counting(api, settings):
    settings.LOCKOUT_FAILURES = settings.LOCKOUT_FAILURES_PER_ADDRESS = 0
    UserFactory(username="jane")

    answers = attempts(api, "jane", 15)

    assert status_codes(answers) == [401] * 15
    assert not LoginCounter.objects.exists()


def test_a_successful_login_returns_the_user(api):
    UserFactory(username="jane")

    assert data(sign_in(api(), "jane", PASSWORD))["user"]["username"] == "jane"
