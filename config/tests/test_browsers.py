"""Cookies, and what guards them, are left alone where a token comes without any."""

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from accounts.sessions import open_session
from accounts.tests.factories import AdminFactory
from config.urls import urlpatterns as addresses
from patients.tests.factories import PatientFactory

pytestmark = pytest.mark.django_db

PROFILE = "/api/auth/profile/"

urlpatterns = [path("api/form/", lambda request: HttpResponse("Sent")), *addresses]


@pytest.fixture
def token():
    return {"Authorization": f"Bearer {open_session(PatientFactory())['access']}"}


def looks_at_cookies(answer):
    return hasattr(answer.wsgi_request, "session")


def test_with_a_token_no_cookie_is_looked_for(token):
    answer = Client().get(PROFILE, headers=token)

    assert answer.status_code == 200
    assert not looks_at_cookies(answer)


def test_with_a_cookie_or_elsewhere_they_are(token):
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
