"""Cookie sessions expire by the same limits as token sessions."""

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
    """A client signed in as Ada at one of the two login pages."""
    browser = Client()
    answer = browser.post(request.param, {"username": "ada", "password": PASSWORD})
    assert answer.status_code == 302
    return browser


def stored():
    return Session.objects.get().get_decoded()


def change_session(**stamps):
    """Updates the data of the one browser session; None removes a timestamp."""
    row = Session.objects.get()
    session = row.get_decoded() | stamps
    kept = {name: value for name, value in session.items() if value is not None}
    row.session_data = Session.get_session_store_class()().encode(kept)
    row.save()


def age_session(time, *, used=timedelta()):
    """Moves the login back by `time` and the last use by `used`."""
    session = stored()
    change_session(
        signed_in_at=session["signed_in_at"] - time.total_seconds(),
        used_at=session["used_at"] - used.total_seconds(),
    )


def is_signed_in(browser):
    pages = [browser.get("/admin/").status_code, browser.get(PROFILE).status_code]
    assert pages in ([200, 200], [302, 401])
    return pages == [200, 200]


def test_without_limits_a_login_does_not_expire(browser):
    age_session(timedelta(days=400), used=timedelta(days=400))

    assert is_signed_in(browser)


@pytest.mark.parametrize("is_in", [True, False])
def test_an_unused_login_expires(browser, settings, is_in):
    settings.SESSION_IDLE = MINUTES_30
    idle = MINUTES_30 - 10 * SECOND if is_in else MINUTES_30
    age_session(idle, used=idle)

    assert is_signed_in(browser) == is_in


@pytest.mark.parametrize("is_in", [True, False])
def test_a_login_expires_at_its_maximum_age_despite_use(browser, settings, is_in):
    settings.SESSION_ABSOLUTE = HOURS_12
    age_session(HOURS_12 - 10 * SECOND if is_in else HOURS_12)

    assert is_signed_in(browser) == is_in


def test_use_extends_a_login(browser, settings):
    settings.SESSION_IDLE = MINUTES_30
    for _ in range(3):
        age_session(MINUTES_30 - 10 * SECOND, used=MINUTES_30 - 10 * SECOND)
        assert is_signed_in(browser)


def test_use_does_not_extend_the_maximum_age(browser, settings):
    settings.SESSION_IDLE, settings.SESSION_ABSOLUTE = MINUTES_30, HOURS_12
    signed_in = stored()["signed_in_at"]
    age_session(MINUTES_30 / 2, used=MINUTES_30 / 2)

    assert is_signed_in(browser)
    assert stored()["signed_in_at"] == signed_in - (MINUTES_30 / 2).total_seconds()


def test_an_expired_login_is_deleted_with_its_cookie(browser, settings):
    settings.SESSION_IDLE = MINUTES_30
    age_session(MINUTES_30, used=MINUTES_30)
    cookie = browser.cookies["sessionid"].value

    answer = browser.get("/admin/")
    settings.SESSION_IDLE = timedelta()
    again = Client(headers={"Cookie": f"sessionid={cookie}"}).get("/admin/")

    assert answer.url == "/admin/login/?next=/admin/"
    assert answer.cookies["sessionid"].value == ""
    assert not Session.objects.exists()
    assert again.status_code == 302


def test_a_new_login_starts_a_new_session(browser, settings):
    settings.SESSION_IDLE, settings.SESSION_ABSOLUTE = MINUTES_30, HOURS_12
    age_session(HOURS_12, used=MINUTES_30)
    assert not is_signed_in(browser)

    browser.post("/admin/login/", {"username": "ada", "password": PASSWORD})

    assert is_signed_in(browser)


@pytest.mark.parametrize("rule", ["SESSION_IDLE", "SESSION_ABSOLUTE"])
def test_a_login_without_a_timestamp_is_expired(browser, settings, rule):
    """Logins from before the timestamps were introduced have none."""
    setattr(settings, rule, HOURS_12)
    change_session(signed_in_at=None, used_at=None)

    assert not is_signed_in(browser)


@pytest.mark.parametrize(
    ("idle", "absolute", "unused", "statements"),
    [
        (timedelta(), timedelta(), HOURS_12, 2),  # session, user
        (timedelta(), 2 * HOURS_12, HOURS_12, 2),
        (MINUTES_30, HOURS_12, 50 * SECOND, 2),
        (MINUTES_30, HOURS_12, 70 * SECOND, 5),  # and an update of the last use, in a transaction
    ],
)
def test_the_last_use_is_written_once_a_minute(
    ada, settings, django_assert_num_queries, idle, absolute, unused, statements
):
    settings.SESSION_IDLE, settings.SESSION_ABSOLUTE = idle, absolute
    browser = Client()
    browser.force_login(ada)
    age_session(timedelta(), used=unused)

    with django_assert_num_queries(statements):
        assert browser.get(PROFILE).status_code == 200
    with django_assert_num_queries(2):
        assert browser.get(PROFILE).status_code == 200


def test_requests_with_a_token_do_not_read_the_browser_session(
    ada, settings, django_assert_num_queries
):
    settings.SESSION_IDLE = settings.SESSION_ABSOLUTE = HOURS_12
    browser = Client()
    browser.force_login(ada)
    age_session(HOURS_12, used=HOURS_12)
    access = open_session(ada)["access"]

    with django_assert_num_queries(1):
        assert profile(browser, access).status_code == 200
    with django_assert_num_queries(0):
        assert browser.get("/healthz").status_code == 200


def test_an_anonymous_browser_session_is_kept(settings):
    settings.SESSION_IDLE = settings.SESSION_ABSOLUTE = MINUTES_30
    browser = Client()
    session = browser.session
    session["letter"] = "kept"
    session.save()

    browser.get("/admin/login/")

    assert stored() == {"letter": "kept"}
