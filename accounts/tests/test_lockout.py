"""Ten wrong passwords for an account, a hundred from an address, and no more are looked at."""

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
    letters,
    link_in,
    profile,
    refresh,
    refusal,
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
    """Counts how often a password is looked at."""

    looks = 0

    def encode(self, password, salt):
        CountingHasher.looks += 1
        return super().encode(password, salt)


@pytest.fixture(autouse=True)
def looks(settings, monkeypatch):
    """Says how often a password was looked at; and no throttle stands before the lockout."""
    settings.PASSWORD_HASHERS = [f"{__name__}.CountingHasher"]
    monkeypatch.setattr("rest_framework.throttling.SimpleRateThrottle.THROTTLE_RATES",
                        {"user": None, "login": None, "register": None})  # fmt: skip

    def since():
        seen, CountingHasher.looks = CountingHasher.looks, 0
        return seen

    return since


def pass_by(**time):
    LoginCounter.objects.update(expires_at=F("expires_at") - timedelta(**time))


def guesses(api, name, number, password=WRONG, **headers):
    return [sign_in(api(**headers), name, password) for _ in range(number)]


def statuses(answers):
    return [answer.status_code for answer in answers]


def admin_door(name, password, path="/admin/login/"):
    return Client().post(path, {"username": name, "password": password})


def test_the_eleventh_guess_at_an_account_is_not_looked_at_nor_is_the_right_password(api, looks):
    UserFactory(username="jane")
    looks()

    wrong = guesses(api, "jane", 12)
    looked_at = looks()
    right = sign_in(api(), "jane", PASSWORD)

    assert statuses(wrong) == [401] * 10 + [429] * 2
    assert refusal(right) == (
        *THROTTLED,
        {"detail": ["Too many failed sign-ins. Please try again later."]},
    )
    assert 890 <= int(right["Retry-After"]) <= 900
    assert (looked_at, looks()) == (10, 0)
    assert not Session.objects.exists()


def test_after_a_quarter_of_an_hour_the_right_password_opens_again(api):
    UserFactory(username="jane")
    guesses(api, "jane", 11)

    pass_by(minutes=14, seconds=58)
    early = sign_in(api(), "jane", PASSWORD)
    pass_by(seconds=3)
    late = sign_in(api(), "jane", PASSWORD)

    assert status_and_code(early) == THROTTLED
    assert int(early["Retry-After"]) <= 2
    assert late.status_code == 200


def test_who_knocks_while_it_is_locked_does_not_lengthen_it(api):
    UserFactory(username="jane")
    guesses(api, "jane", 10)
    end = LoginCounter.objects.get(user__username="jane").expires_at

    guesses(api, "jane", 5)

    assert LoginCounter.objects.get(user__username="jane").expires_at == end


def test_no_quarter_of_an_hour_has_more_than_ten_wherever_it_begins(api, looks):
    """Nine, a pause until the first is nearly forgotten, and again: nine and nine, if it were."""
    UserFactory(username="jane")
    guesses(api, "jane", 1)
    pass_by(minutes=14)
    nearly = guesses(api, "jane", 8)
    pass_by(minutes=2)
    looks()

    answers = guesses(api, "jane", 5)

    assert statuses(nearly) == [401] * 8
    assert statuses(answers) == [401] + [429] * 4
    assert looks() == 1


def test_a_right_password_forgets_the_failures(api):
    UserFactory(username="jane")

    answers = guesses(api, "jane", 9) + guesses(api, "jane", 1, PASSWORD) + guesses(api, "jane", 9)
    last = sign_in(api(), "jane", PASSWORD)

    assert statuses(answers) == [401] * 9 + [200] + [401] * 9
    assert last.status_code == 200
    assert not LoginCounter.objects.filter(address=None).exists()


@pytest.mark.parametrize("proxies", [0, 1])
def test_another_address_does_not_help(api, proxies_are, looks, proxies):
    UserFactory(username="jane")
    proxies_are(proxies)
    looks()

    answers = [
        sign_in(api(REMOTE_ADDR=f"10.0.0.{n}", HTTP_X_FORWARDED_FOR=f"1.2.3.{n}"), "jane", WRONG)
        for n in range(30)
    ]

    assert statuses(answers) == [401] * 10 + [429] * 20
    assert looks() == 10


SPELLINGS = ["jane", "JANE", " jane ", "jane@example.com", "Jane@Example.COM"]


def test_username_and_address_in_any_case_are_one_account(api):
    UserFactory(username="jane")

    answers = [sign_in(api(), SPELLINGS[n % len(SPELLINGS)], WRONG) for n in range(12)]

    assert statuses(answers) == [401] * 10 + [429] * 2
    assert LoginCounter.objects.filter(address=None).count() == 1


def test_a_person_who_is_locked_out_locks_nobody_else_out(api):
    UserFactory(username="jane")
    UserFactory(username="paul")
    guesses(api, "jane", 11)

    assert sign_in(api(), "paul", PASSWORD).status_code == 200
    assert sign_in(api(), "nobody", PASSWORD).status_code == 401


@pytest.mark.parametrize(
    "name", ["jane", "paul", "max", "nobody", "nobody@example.com", "%", "💊", "j" * 254]
)
def test_an_account_a_closed_one_and_none_are_counted_and_answered_alike(
    api, looks, name, django_assert_num_queries
):
    UserFactory(username="jane")
    UserFactory(username="paul", is_active=False)
    services.register(username="max", first_name="Max", last_name="Doe")
    looks()

    answers = []
    # Who; address; account; address, look or time left; and once the audit's.
    for statements in [6] + [5] * 9 + [4] * 2:
        client = api()
        with django_assert_num_queries(statements):
            answers.append(sign_in(client, name.upper(), WRONG))
    work = looks()

    assert statuses(answers) == [401] * 10 + [429] * 2
    assert work == 10
    bodies = [answer.json() | {"request_id": ""} for answer in answers]
    assert bodies[:10] == [bodies[0]] * 10
    assert bodies[10:] == [bodies[10]] * 2
    assert refusal(answers[0])[1:] == (
        "invalid_credentials",
        {"detail": ["The username or the password is wrong."]},
    )
    assert set(answers[10].headers) - {"Retry-After"} == set(answers[0].headers) - {
        "WWW-Authenticate"
    }


def test_what_was_typed_for_a_name_is_not_kept(api):
    sign_in(api(), "my-password-typed-too-early", WRONG)

    kept = str(list(LoginCounter.objects.values()))
    assert "my-password" not in kept
    assert WRONG not in kept


def test_one_address_cannot_try_everybody(api, looks, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 20
    UserFactory(username="jane")
    looks()

    answers = [sign_in(api(REMOTE_ADDR="10.0.0.1"), f"person{n}", WRONG) for n in range(23)]
    here = sign_in(api(REMOTE_ADDR="10.0.0.1"), "jane", PASSWORD)
    looked_at = looks()
    there = sign_in(api(REMOTE_ADDR="10.0.0.2"), "jane", PASSWORD)

    assert statuses(answers) == [401] * 20 + [429] * 3
    assert status_and_code(here) == THROTTLED
    assert 890 <= int(here["Retry-After"]) <= 900
    assert looked_at == 20
    assert there.status_code == 200


def test_a_header_anyone_can_write_makes_no_new_address(api, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 5

    answers = [
        sign_in(api(HTTP_X_FORWARDED_FOR=f"1.2.3.{n}"), f"person{n}", WRONG) for n in range(7)
    ]

    assert statuses(answers) == [401] * 5 + [429] * 2


def test_behind_a_proxy_the_address_is_the_one_it_wrote_itself(api, settings, proxies_are):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 5
    proxies_are(1)

    forged = [
        sign_in(api(HTTP_X_FORWARDED_FOR=f"6.6.6.{n}, 1.2.3.4"), f"person{n}", WRONG)
        for n in range(7)
    ]
    other = sign_in(api(HTTP_X_FORWARDED_FOR="6.6.6.6, 1.2.3.5"), "person9", WRONG)

    assert statuses(forged) == [401] * 5 + [429] * 2
    assert other.status_code == 401


def test_whoever_holds_a_whole_network_of_ipv6_has_one_address(api, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 5

    answers = [
        sign_in(api(REMOTE_ADDR=f"2001:db8:1:2::{n:x}"), f"person{n}", WRONG) for n in range(7)
    ]
    neighbour = sign_in(api(REMOTE_ADDR="2001:db8:1:3::1"), "person9", WRONG)

    assert statuses(answers) == [401] * 5 + [429] * 2
    assert neighbour.status_code == 401


def test_who_knocks_at_a_locked_account_locks_no_address_and_makes_no_rows(api, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 15
    UserFactory(username="paul")
    guesses(api, "jane", 10)
    rows = LoginCounter.objects.count()

    locked = [sign_in(api(REMOTE_ADDR=f"10.0.0.{n}"), "jane", WRONG) for n in range(20)]
    locked += guesses(api, "jane", 20)
    paul = sign_in(api(), "paul", PASSWORD)

    assert statuses(locked) == [429] * 40
    assert LoginCounter.objects.count() == rows
    assert paul.status_code == 200


def test_who_knocks_from_a_locked_address_locks_no_account_and_makes_no_rows(api, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 5
    UserFactory(username="paul")
    for n in range(5):
        sign_in(api(), f"person{n}", WRONG)
    rows = LoginCounter.objects.count()

    locked = guesses(api, "paul", 20) + [sign_in(api(), f"other{n}", WRONG) for n in range(5)]
    rows_added = LoginCounter.objects.count() - rows
    paul = sign_in(api(REMOTE_ADDR="10.0.0.2"), "paul", PASSWORD)

    assert statuses(locked) == [429] * 25
    assert rows_added == 0
    assert paul.status_code == 200


def test_many_who_sign_in_rightly_from_one_address_lock_nobody_out(api, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 5
    UserFactory(username="jane")

    answers = guesses(api, "jane", 12, PASSWORD)

    assert statuses(answers) == [200] * 12
    assert LoginCounter.objects.get().failures == 0


def test_an_address_forgets_by_the_clock_and_not_by_a_pause(api, settings):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 5
    answers = []
    for n in range(10):  # one every five minutes, all day long
        answers.append(sign_in(api(), f"person{n}", WRONG))
        pass_by(minutes=5)

    assert statuses(answers) == [401] * 10


def test_without_an_address_the_account_is_counted_all_the_same(api):
    UserFactory(username="jane")

    answers = guesses(api, "jane", 11, REMOTE_ADDR="")

    assert statuses(answers) == [401] * 10 + [429]
    assert not LoginCounter.objects.exclude(address=None).exists()


@pytest.mark.parametrize("path", ["/admin/login/", "/api-auth/login/"])
def test_every_door_shares_the_count_and_says_so_in_plain_words(api, looks, path):
    AdminFactory(username="ada")
    guesses(api, "ada", 5)
    pages = [admin_door("ADA", WRONG, path) for _ in range(5)]
    looks()

    locked = admin_door("ada@example.com", PASSWORD, path)
    at_the_api = sign_in(api(), "ada", PASSWORD)

    assert statuses(pages) == [200] * 5
    assert locked.status_code == 429
    assert 890 <= int(locked["Retry-After"]) <= 900
    assert "Too many failed sign-ins. Please try again later." in locked.content.decode()
    assert status_and_code(at_the_api) == THROTTLED
    assert looks() == 0


@pytest.mark.parametrize("path", ["/admin/login/", "/api-auth/login/"])
def test_a_sign_in_at_a_page_forgets_the_failures_too(path):
    AdminFactory(username="ada")
    for _ in range(9):
        admin_door("ada", WRONG, path)

    page = admin_door("ada", PASSWORD, path)

    assert page.status_code == 302
    assert not LoginCounter.objects.filter(address=None).exists()


def test_the_own_password_cannot_be_guessed_from_within_either(api, looks):
    jane = UserFactory(username="jane")
    client = api(jane)
    looks()

    changing = [client.post(CHANGE, {"old_password": WRONG, "new_password": NEW}) for _ in range(5)]
    moving = [
        client.patch(PROFILE, {"email": "new@example.com", "current_password": WRONG})
        for _ in range(5)
    ]
    looked_at = looks()
    locked = [
        client.post(CHANGE, {"old_password": PASSWORD, "new_password": NEW}),
        client.patch(PROFILE, {"email": "new@example.com", "current_password": PASSWORD}),
        sign_in(api(), "jane", PASSWORD),
    ]

    assert statuses(changing + moving) == [400] * 10
    assert [status_and_code(one) for one in locked] == [THROTTLED] * 3
    assert all("Retry-After" in one for one in locked)
    assert looked_at == 10
    assert looks() == 0
    assert client.get(PROFILE).status_code == 200
    assert User.objects.get().email == "jane@example.com"


def test_a_patient_cannot_guess_at_the_own_record_either(api):
    jane = PatientFactory(username="jane")
    body = {"email": "new@example.com", "current_password": WRONG}

    answers = [api(jane).patch(f"/api/patients/{jane.pk}/", body) for _ in range(11)]

    assert statuses(answers) == [400] * 10 + [429]


def test_what_fails_for_another_reason_is_no_guess(api):
    jane = UserFactory(username="jane")
    UserFactory(username="paul")
    client = api(jane)

    for _ in range(6):
        client.post(CHANGE, {"old_password": PASSWORD, "new_password": "short"})
        client.patch(PROFILE, {"email": "paul@example.com", "current_password": PASSWORD})
    changed = client.post(CHANGE, {"old_password": PASSWORD, "new_password": NEW})

    assert changed.status_code == 200


def test_a_password_nobody_looks_at_forgets_no_failures(api):
    jane = UserFactory(username="jane")
    client = api(jane)
    guesses(api, "jane", 9)

    unused = client.patch(PROFILE, {"phone": "030 1", "current_password": WRONG})
    answers = guesses(api, "jane", 2)

    assert unused.status_code == 200
    assert statuses(answers) == [401, 429]


def test_the_pages_where_staff_type_their_own_password_count_too(api, client, looks):
    ada = AdminFactory(username="ada")
    client.force_login(ada)
    page = reverse("admin:accounts_user_change", args=[ada.pk])
    names = ["first_name", "last_name", "username", "phone", "gender", "address"]
    form = {name: getattr(ada, name) for name in names} | {"email": "new@example.com"}
    passwords = {"new_password1": NEW, "new_password2": NEW}
    looks()

    pages = [client.post(page, form | {"current_password": WRONG}) for _ in range(5)]
    pages += [
        client.post("/admin/password_change/", passwords | {"old_password": WRONG})
        for _ in range(5)
    ]
    looked_at = looks()
    locked = [
        client.post(page, form | {"current_password": PASSWORD}),
        client.post("/admin/password_change/", passwords | {"old_password": PASSWORD}),
        sign_in(api(), "ada", PASSWORD),
    ]

    assert statuses(pages) == [200] * 10
    assert looked_at == 10
    assert statuses(locked) == [429] * 3
    assert "Too many failed sign-ins. Please try again later." in locked[0].content.decode()
    assert "Too many failed sign-ins. Please try again later." in locked[1].content.decode()
    assert looks() == 0
    assert User.objects.get().email == "ada@example.com"
    assert client.get("/admin/").status_code == 200


def test_the_right_password_serves_on_those_pages(client):
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
    guesses(api, "jane", 11)
    guesses(api, "nobody", 2)
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
    )  # the locked one was not looked at


def by_mail(jane, client):
    with TestCase.captureOnCommitCallbacks(execute=True):
        client.post("/api/auth/password/reset/", {"email": jane.email})
    [letter] = letters()
    link = link_in(letter) | {"new_password": NEW}
    return client.post("/api/auth/password/reset/confirm/", link)


def by_an_admin(jane, client):
    desk = Client()
    desk.force_login(AdminFactory())
    page = reverse("admin:accounts_user_set_password", args=[jane.pk])
    return desk.post(page, {"password": NEW, "password_again": NEW})


@pytest.mark.parametrize("way", [by_mail, by_an_admin])
def test_a_new_password_lifts_the_lockout_of_its_account_and_of_no_other(api, settings, way):
    settings.LOCKOUT_FAILURES_PER_ADDRESS = 21
    jane = UserFactory(username="jane")
    UserFactory(username="paul")
    guesses(api, "jane", 11)
    guesses(api, "paul", 11)

    assert way(jane, api()).status_code in (200, 302)

    assert sign_in(api(), "jane", NEW).status_code == 200
    assert status_and_code(sign_in(api(), "paul", PASSWORD)) == THROTTLED
    assert statuses(guesses(api, "jane", 2)) == [401, 429]  # its address still has 20 to its name


def test_a_link_that_is_refused_lifts_nothing(api):
    jane = UserFactory(username="jane")
    guesses(api, "jane", 11)
    link = {"uid": urlsafe_base64_encode(force_bytes(jane.pk)), "token": "guess"}

    refused = api().post("/api/auth/password/reset/confirm/", link | {"new_password": NEW})

    assert refused.status_code == 400
    assert status_and_code(sign_in(api(), "jane", PASSWORD)) == THROTTLED


def test_who_is_signed_in_works_on_while_a_stranger_locks_the_account(api):
    ada = AdminFactory(username="ada")
    tokens = open_session(ada)
    desk = Client()
    desk.force_login(ada)
    guesses(api, "ada", 11)

    renewed = data(refresh(api(), tokens["refresh"]))

    assert status_and_code(sign_in(api(), "ada", PASSWORD)) == THROTTLED
    assert profile(api(), renewed["access"]).status_code == 200
    assert desk.get("/admin/").status_code == 200


def test_who_was_somebodys_count_goes_with_the_account(api):
    jane = UserFactory(username="jane")
    guesses(api, "jane", 1)

    jane.delete()

    assert not LoginCounter.objects.filter(address=None).exists()


def test_prune_deletes_what_is_over_and_nothing_else(api, capsys):
    UserFactory(username="jane")
    guesses(api, "jane", 10)
    pass_by(minutes=15)
    guesses(api, "nobody", 10, REMOTE_ADDR="10.0.0.2")

    call_command("prune")

    assert (
        "Deleted 0 key(s), 2 count(s) of failed sign-ins and 0 session(s)."
        in capsys.readouterr().out
    )
    assert LoginCounter.objects.count() == 2
    assert statuses(guesses(api, "nobody", 1)) == [429]


def test_the_limits_are_settings(api, settings):
    settings.LOCKOUT_FAILURES, settings.LOCKOUT_MINUTES = 3, 1
    UserFactory(username="jane")

    answers = guesses(api, "jane", 4)
    pass_by(minutes=1)
    after = sign_in(api(), "jane", PASSWORD)

    assert statuses(answers) == [401] * 3 + [429]
    assert int(answers[-1]["Retry-After"]) <= 60
    assert after.status_code == 200


def test_without_limits_nothing_is_counted(api, settings):
    settings.LOCKOUT_FAILURES = settings.LOCKOUT_FAILURES_PER_ADDRESS = 0
    UserFactory(username="jane")

    answers = guesses(api, "jane", 15)

    assert statuses(answers) == [401] * 15
    assert not LoginCounter.objects.exists()


def test_a_sign_in_that_succeeds_answers_with_the_person(api):
    UserFactory(username="jane")

    assert data(sign_in(api(), "jane", PASSWORD))["user"]["username"] == "jane"
