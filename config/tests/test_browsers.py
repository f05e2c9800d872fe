"""Cookies, and what guards them, are left alone where a token comes without any."""

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from accounts.sessions import open_session
from accounts.tests.factories import AdminFactory
from config.browsers import AuthenticationMiddleware, MessageMiddleware
from config.urls import urlpatterns as addresses
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

PROFILE = "/api/auth/profile/"

urlpatterns = [path("api/form/", lambda request: HttpResponse("Sent")), *addresses]


@pytest.fixture
def token():
    return {"Authorization": f"Bearer {open_session(PatientFactory())['access']}"}


@pytest.fixture
def looks_at_cookies(monkeypatch):
    """Whether the request of an answer was looked at by both of them; by one alone it never is."""
    looked_at = []

    def looking(middleware):
        process = middleware.process_request
        return lambda self, request: looked_at.append(request) or process(self, request)

    for one in (AuthenticationMiddleware, MessageMiddleware):
        monkeypatch.setattr(one, "process_request", looking(one))

    def by_both(answer):
        times = looked_at.count(answer.wsgi_request)
        assert times in {0, 2}
        return times == 2

    return by_both


def test_with_a_token_no_cookie_is_looked_for(token, looks_at_cookies):
    answer = Client().get(PROFILE, headers=token)

    assert answer.status_code == 200
    assert not looks_at_cookies(answer)


def test_with_a_cookie_or_elsewhere_they_are(token, looks_at_cookies):
    browser = Client()

    assert looks_at_cookies(browser.get(PROFILE))
    assert looks_at_cookies(browser.get("/admin/login/", headers=token))
    browser.cookies["theme"] = "dark"
    assert looks_at_cookies(browser.get(PROFILE, headers=token))


def test_a_stranger_s_token_is_no_way_round_the_guard_of_a_cookie():
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(AdminFactory())

    for strange in ("Basic YWRhOmFkYQ==", "Bearer", ""):
        answer = browser.patch(
            PROFILE, {"phone": "1"}, "application/json", headers={"Authorization": strange}
        )
        assert answer.status_code in {401, 403}
        assert browser.get(PROFILE).json()["data"]["phone"] != "1"


@pytest.mark.urls(__name__)
def test_a_form_is_not_taken_from_who_has_a_token_alone(token):
    stranger = Client(enforce_csrf_checks=True)

    assert stranger.get("/api/form/", headers=token).status_code == 200
    assert stranger.post("/api/form/", headers=token).status_code == 403
