"""Sign-ins by cookie are over by the same rules as those with tokens."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.test import Client

from accounts.auth.sessions import open_session
from accounts.tests.factories import PASSWORD
from accounts.tests.helpers import profile

pytestmark = pytest.mark.django_db

MINUTES_30, HOURS_12 = timedelta(minutes=30), timedelta(hours=12)
SECOND = timedelta(seconds=1)
PROFILE = "/api/auth/profile/"


@pytest.fixture(params=["/admin/login/", "/api-auth/login/"])
def browser(request, ada):
    """Ada's, signed in at one of the two pages."""
    browser = Client()
    answer = browser.post(request.param, {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 302
    return browser


def stored():
    return Session.objects.get().get_decoded()


def change(**stamps):
    """What the one session of a browser holds; a stamp that is None is taken out."""
    row = Session.objects.get()
    session = row.get_decoded() | stamps
    kept = {name: value for name, value in session.items() if value is not None}
    row.session_data = Session.get_session_store_class()().encode(kept)
    row.save()


def pass_by(time, *, used=timedelta()):
    """Let the sign-in be older by `time`, and the last use by `used`."""
    session = stored()
    change(
        signed_in_at=session["signed_in_at"] - time.total_seconds(),
        used_at=session["used_at"] - used.total_seconds(),
    )


def is_signed_in(browser):
    pages = [browser.get("/admin/").status_code, browser.get(PROFILE).status_code]
    assert pages in ([200, 200], [302, 401])
    return pages == [200, 200]


def test_without_a_rule_a_sign_in_does_not_end(browser):
    pass_by(timedelta(days=400), used=timedelta(days=400))

    assert is_signed_in(browser)


@pytest.mark.parametrize("is_in", [True, False])
def test_a_browser_nobody_uses_is_signed_out(browser, settings, is_in):
    settings.SESSION_IDLE = MINUTES_30
    idle = MINUTES_30 - 10 * SECOND if is_in else MINUTES_30
    pass_by(idle, used=idle)

    assert is_signed_in(browser) == is_in


@pytest.mark.parametrize("is_in", [True, False])
def test_a_browser_is_signed_out_some_day_however_busy(browser, settings, is_in):
    settings.SESSION_ABSOLUTE = HOURS_12
    pass_by(HOURS_12 - 10 * SECOND if is_in else HOURS_12)

    assert is_signed_in(browser) == is_in


def test_use_keeps_a_browser_signed_in(browser, settings):
    settings.SESSION_IDLE = MINUTES_30
    for _ in range(3):
        pass_by(MINUTES_30 - 10 * SECOND, used=MINUTES_30 - 10 * SECOND)
        assert is_signed_in(browser)


def test_use_does_not_prolong_what_is_over_some_day(browser, settings):
    settings.SESSION_IDLE, settings.SESSION_ABSOLUTE = MINUTES_30, HOURS_12
    signed_in = stored()["signed_in_at"]
    pass_by(MINUTES_30 / 2, used=MINUTES_30 / 2)

    assert is_signed_in(browser)
    assert stored()["signed_in_at"] == signed_in - (MINUTES_30 / 2).total_seconds()


def test_what_is_over_is_gone_for_good_and_the_cookie_with_it(browser, settings):
    settings.SESSION_IDLE = MINUTES_30
    pass_by(MINUTES_30, used=MINUTES_30)
    cookie = browser.cookies["sessionid"].value

    answer = browser.get("/admin/")
    settings.SESSION_IDLE = timedelta()
    again = Client(headers={"Cookie": f"sessionid={cookie}"}).get("/admin/")

    assert answer.url == "/admin/login/?next=/admin/"
    assert answer.cookies["sessionid"].value == ""
    assert not Session.objects.exists()
    assert again.status_code == 302


def test_who_signs_in_anew_starts_anew(browser, settings):
    settings.SESSION_IDLE, settings.SESSION_ABSOLUTE = MINUTES_30, HOURS_12
    pass_by(HOURS_12, used=MINUTES_30)
    assert not is_signed_in(browser)

    browser.post("/admin/login/", {"username": "ada", "password": PASSWORD})

    assert is_signed_in(browser)


@pytest.mark.parametrize("rule", ["SESSION_IDLE", "SESSION_ABSOLUTE"])
def test_a_sign_in_of_unknown_age_is_over(browser, settings, rule):
    """One from before sign-ins were stamped."""
    setattr(settings, rule, HOURS_12)
    change(signed_in_at=None, used_at=None)

    assert not is_signed_in(browser)


@pytest.mark.parametrize(
    ("idle", "absolute", "unused", "statements"),
    [
        (timedelta(), timedelta(), HOURS_12, 2),  # which session; whose
        (timedelta(), 2 * HOURS_12, HOURS_12, 2),
        (MINUTES_30, HOURS_12, 50 * SECOND, 2),
        (MINUTES_30, HOURS_12, 70 * SECOND, 5),  # and the use is noted, in a transaction
    ],
)
def test_the_rules_cost_one_note_a_minute(
    ada, settings, django_assert_num_queries, idle, absolute, unused, statements
):
    settings.SESSION_IDLE, settings.SESSION_ABSOLUTE = idle, absolute
    browser = Client()
    browser.force_login(ada)
    pass_by(timedelta(), used=unused)

    with django_assert_num_queries(statements):
        assert browser.get(PROFILE).status_code == 200
    with django_assert_num_queries(2):
        assert browser.get(PROFILE).status_code == 200


def test_a_token_is_not_asked_for_its_browser(ada, settings, django_assert_num_queries):
    settings.SESSION_IDLE = settings.SESSION_ABSOLUTE = HOURS_12
    browser = Client()
    browser.force_login(ada)
    pass_by(HOURS_12, used=HOURS_12)
    access = open_session(ada)["access"]

    with django_assert_num_queries(1):
        assert profile(browser, access).status_code == 200
    with django_assert_num_queries(0):
        assert browser.get("/healthz").status_code == 200


def test_a_browser_that_is_not_signed_in_keeps_what_it_has(settings):
    settings.SESSION_IDLE = settings.SESSION_ABSOLUTE = MINUTES_30
    browser = Client()
    session = browser.session
    session["letter"] = "kept"
    session.save()

    browser.get("/admin/login/")

    assert stored() == {"letter": "kept"}
