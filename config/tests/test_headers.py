"""Security headers of all responses, and CORS."""

import pytest
from django.test import Client

from accounts.auth.sessions import open_session
from accounts.tests.factories import PASSWORD, AdminFactory
from accounts.tests.helpers import decode_claims
from config.http.security_headers import ADMIN_PAGE, NOTHING, PAGE, PERMISSIONS
from config.tests.personas import build_clinic
from config.tests.test_settings import with_environment

pytestmark = pytest.mark.django_db

APPLICATION = "https://app.clinic.example"


def test_the_policies_match_the_agreed_ones():
    common = (
        "style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )

    assert NOTHING == "default-src 'none'; frame-ancestors 'none'"
    assert f"default-src 'none'; script-src 'self'; {common}" == PAGE
    assert f"default-src 'none'; script-src 'self' 'unsafe-eval'; {common}" == ADMIN_PAGE


@pytest.mark.parametrize(
    ("address", "accept", "status", "policy"),
    [
        ("/api/appointments/", "application/json", 200, NOTHING),
        ("/api/appointments/", "text/html", 200, PAGE),
        ("/api/appointments/999999/", "application/json", 404, NOTHING),
        ("/api/no-such/", "application/json", 404, NOTHING),
        ("/api/docs/", "text/html", 200, PAGE),
        ("/api/schema/", "application/json", 200, NOTHING),
        ("/api-auth/login/", "text/html", 200, PAGE),
        ("/admin/", "text/html", 200, ADMIN_PAGE),
        ("/admin/accounts/user/", "text/html", 200, ADMIN_PAGE),
        ("/admin/no-such/", "text/html", 404, ADMIN_PAGE),
        ("/healthz", "*/*", 200, NOTHING),
        ("/no-such/", "text/html", 404, PAGE),
    ],
)
def test_responses_are_not_cached_and_restrict_what_a_page_loads(address, accept, status, policy):
    browser = Client(headers={"Accept": accept})
    browser.force_login(build_clinic().ada)

    answer = browser.get(address)

    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in (
        "Cache-Control", "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy",
        "Cross-Origin-Opener-Policy", "X-Frame-Options", "Permissions-Policy",
        "Strict-Transport-Security",
    )} == {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "X-Frame-Options": "DENY",
        "Permissions-Policy": PERMISSIONS,
        "Strict-Transport-Security": None,
    }  # fmt: skip


def test_a_server_error_has_the_headers(api, monkeypatch):
    monkeypatch.setattr("appointments.viewsets.UpcomingViewSet.pagination_class", "broken")

    answer = api(build_clinic().jane, raise_request_exception=False).get("/api/upcoming/")

    assert answer.status_code == 500
    assert answer["Cache-Control"] == "no-store"
    assert answer["Content-Security-Policy"] == NOTHING


def test_static_files_keep_their_caching_headers(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    static = Client().get("/static/favicon.svg")
    static.close()
    image = Client().get("/media/avatars/nobody.webp")

    assert static.status_code == 200
    assert static["Cache-Control"] == "max-age=60, public"
    assert "Cache-Control" not in image


def test_hsts_is_sent_with_https(settings):
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = settings.SECURE_HSTS_PRELOAD = True

    plain = Client().get("/admin/")
    secure = Client().get("/api/doctors/", secure=True)

    assert (plain.status_code, plain["Location"]) == (301, "https://testserver/admin/")
    assert secure["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"


def test_the_api_refuses_http_where_https_is_on(settings, api, jane):
    """A redirect would hide that the client has sent its token without TLS."""
    settings.SECURE_SSL_REDIRECT = True

    refused = api(jane).get("/api/auth/profile/")
    accepted = api(jane).get("/api/auth/profile/", secure=True)

    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    assert refused.json()["message"] == "Use HTTPS."
    assert accepted.status_code == 200


def test_the_admin_uses_host_cookies_and_ignores_the_old_names(settings):
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = True
    settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME = "__Host-sessionid", "__Host-csrftoken"
    build_clinic()
    browser = Client(enforce_csrf_checks=True)
    token = browser.get("/admin/login/", secure=True).context["csrf_token"]
    form = {"username": "ada", "password": PASSWORD, "csrfmiddlewaretoken": str(token)}

    browser.post("/admin/login/", form, secure=True, headers={"Referer": "https://testserver/"})

    assert set(browser.cookies) == {"__Host-sessionid", "__Host-csrftoken"}
    for cookie in browser.cookies.values():
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")
    assert browser.get("/admin/", secure=True).status_code == 200
    old = Client(headers={"Cookie": f"sessionid={browser.cookies['__Host-sessionid'].value}"})
    assert old.get("/admin/", secure=True).status_code == 302


def test_a_sign_out_has_the_browser_forget_what_pages_have_stored(api, jane, client):
    tokens = open_session(jane)
    client.force_login(jane)

    left = api().post("/api/auth/logout/", {"refresh": tokens["refresh"]})
    refused = api().post("/api/auth/logout/", {"refresh": "x"})
    page = client.post("/api-auth/logout/")

    assert left["Clear-Site-Data"] == page["Clear-Site-Data"] == '"cache", "storage"'
    assert "Clear-Site-Data" not in refused
    assert "Clear-Site-Data" not in api(jane).get("/api/auth/profile/")


def test_each_way_to_end_the_own_session_is_a_sign_out(api, jane, client):
    def signed_in():
        tokens = open_session(jane)
        browser = api()
        browser.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['access']}")
        return browser, f"/api/auth/sessions/{decode_claims(tokens['access'])['sid']}/"

    (here, here_address), (_, there_address) = signed_in(), signed_in()
    client.force_login(AdminFactory())

    other = here.delete(there_address)
    own = here.delete(here_address)
    everywhere = signed_in()[0].post("/api/auth/sessions/end_all/")
    admin = client.post("/admin/logout/")

    assert other.status_code == own.status_code == 204
    assert "Clear-Site-Data" not in other
    for answer in (own, everywhere, admin):
        assert answer["Clear-Site-Data"] == '"cache", "storage"'


def test_browsable_api_pages_contain_no_script_that_the_policy_forbids():
    browser = Client(headers={"Accept": "text/html"})
    browser.force_login(build_clinic().house)

    for address in ("/api/", "/api/time-slots/", "/api/appointments/", "/api-auth/login/"):
        page = browser.get(address).content.decode()
        assert "onclick" not in page
        assert "javascript:" not in page
    page = browser.get("/api/time-slots/")
    assert 'action="/api-auth/logout/?next=/api/time-slots/"' in page.content.decode()


# --- CORS -----------------------------------------------------------------------------------


@pytest.fixture
def application(settings):
    settings.CORS_ALLOWED_ORIGINS = [APPLICATION]


def test_an_allowed_origin_may_send_and_read_the_required_headers(api, application):
    client = api(build_clinic().jane)

    asked = client.options(
        "/api/appointments/",
        HTTP_ORIGIN=APPLICATION,
        HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST",
        HTTP_ACCESS_CONTROL_REQUEST_HEADERS="authorization,if-match,idempotency-key,x-request-id",
    )
    answered = client.get("/api/auth/profile/", HTTP_ORIGIN=APPLICATION)

    allowed = set(asked["Access-Control-Allow-Headers"].split(", "))
    assert asked["Access-Control-Allow-Origin"] == APPLICATION
    assert allowed >= {"authorization", "content-type", "if-match", "idempotency-key"}
    assert "x-request-id" in allowed
    assert answered["Access-Control-Allow-Origin"] == APPLICATION
    assert set(answered["Access-Control-Expose-Headers"].split(", ")) == {
        "Content-Disposition", "ETag", "Idempotency-Replayed", "Retry-After", "X-Request-ID",
    }  # fmt: skip
    for answer in (asked, answered):
        assert "Access-Control-Allow-Credentials" not in answer


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://app.clinic.example", f"{APPLICATION}.evil.example"],
)
def test_other_origins_get_no_cors_headers(api, application, origin):
    client = api(build_clinic().jane)

    asked = client.options(
        "/api/appointments/", HTTP_ORIGIN=origin, HTTP_ACCESS_CONTROL_REQUEST_METHOD="POST"
    )
    answered = client.get("/api/auth/profile/", HTTP_ORIGIN=origin)

    assert answered.status_code == 200
    for answer in (asked, answered):
        assert [name for name in answer.headers if name.startswith("Access-Control-")] == []


def test_cors_applies_to_the_api_and_avatars_only(application):
    for address in ("/admin/login/", "/healthz", "/api-auth/login/"):
        answer = Client().get(address, headers={"Origin": APPLICATION})
        assert "Access-Control-Allow-Origin" not in answer


def test_allowed_origins_are_a_setting_and_empty_in_production():
    secret = {"SECRET_KEY": "k" * 50}
    listed = "https://a.example,https://b.example"

    assert with_environment("s.CORS_ALLOWED_ORIGINS", **secret) == "[]"
    assert (
        with_environment("s.CORS_ALLOWED_ORIGINS", CORS_ALLOWED_ORIGINS=listed, **secret)
        == "['https://a.example', 'https://b.example']"
    )
