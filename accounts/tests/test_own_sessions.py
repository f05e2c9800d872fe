"""Endpoints by which users list and end their own sessions."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.sessions.models import Session as BrowserSession
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.auth.sessions import open_session
from accounts.models import Session, User
from accounts.tests.factories import (
    PASSWORD,
    AdminFactory,
    DoctorFactory,
    UnverifiedDoctorFactory,
    UserFactory,
)
from accounts.tests.helpers import (
    TOKEN_INVALID,
    data,
    decode_claims,
    profile,
    refresh,
    sign_in,
    status_and_code,
)

pytestmark = pytest.mark.django_db

SESSIONS = "/api/auth/sessions/"
END_ALL = "/api/auth/sessions/end_all/"
NOT_FOUND = (404, "not_found")


def id_of(token):
    return decode_claims(token)["sid"]


def listed(client):
    return data(client.get(SESSIONS))["results"]


def bearer(api, access):
    client = api()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {access}")
    return client


@pytest.mark.parametrize(
    "person", [UserFactory, DoctorFactory, UnverifiedDoctorFactory, AdminFactory]
)
def test_users_see_only_their_own_sessions(api, person):
    jane, paul = person(username="jane"), UserFactory()
    phone, tablet = open_session(jane), open_session(jane)
    open_session(paul)

    rows = listed(bearer(api, phone["access"]))

    assert [row["id"] for row in rows] == [id_of(tablet["access"]), id_of(phone["access"])]
    assert [row["is_current"] for row in rows] == [False, True]


def test_a_session_shows_its_origin_and_no_token(api):
    UserFactory(username="jane")
    client = api(REMOTE_ADDR="203.0.113.7", HTTP_USER_AGENT="Firefox/145.0")
    tokens = data(sign_in(client, "jane", PASSWORD))
    session = Session.objects.get()

    page = data(bearer(api, tokens["access"]).get(SESSIONS))

    assert {key: page[key] for key in ("count", "next", "previous")} == {
        "count": 1, "next": None, "previous": None,
    }  # fmt: skip
    [row] = page["results"]
    assert list(row) == [
        "id", "created_at", "last_used_at", "expires_at", "address", "user_agent", "is_current",
    ]  # fmt: skip
    assert (row["address"], row["user_agent"]) == ("203.0.113.7", "Firefox/145.0")
    assert session.jti not in str(page)


def test_a_refresh_updates_last_used(api):
    tokens = open_session(UserFactory())
    [opened] = listed(bearer(api, tokens["access"]))
    [again] = listed(bearer(api, tokens["access"]))

    renewed = data(refresh(api(), tokens["refresh"]))
    [refreshed] = listed(bearer(api, renewed["access"]))

    assert opened == again
    assert opened["last_used_at"] < refreshed["last_used_at"]
    assert opened["created_at"] == refreshed["created_at"]


def test_ended_sessions_are_not_listed(api):
    jane = UserFactory()
    client = api(jane)
    Session.objects.filter(pk=id_of(open_session(jane)["access"])).end()
    Session.objects.filter(pk=id_of(open_session(jane)["access"])).update(
        expires_at="2020-01-01T00:00:00Z"
    )

    assert len(listed(client)) == 1


@pytest.mark.parametrize("rows", [1, 3])
def test_the_list_costs_three_queries_for_any_length(api, rows, django_assert_num_queries):
    jane = UserFactory()
    client = api(jane)
    for _ in range(rows - 1):
        open_session(jane)

    with django_assert_num_queries(3):  # user, count, page
        assert len(listed(client)) == rows


def test_page_size_sets_the_page_length(api):
    jane = UserFactory()
    client = api(jane)
    for _ in range(2):
        open_session(jane)

    page = data(client.get(SESSIONS + "?page_size=2&page=2"))

    assert (page["count"], len(page["results"])) == (3, 1)
    assert status_and_code(client.get(SESSIONS + "?user=1")) == (400, "unknown_parameter")


def test_ending_one_session_keeps_the_others(api):
    jane = UserFactory()
    here, lost = open_session(jane), open_session(jane)
    client = bearer(api, here["access"])

    response = client.delete(f"{SESSIONS}{id_of(lost['access'])}/")

    assert (response.status_code, response.content) == (204, b"")
    assert status_and_code(profile(api(), lost["access"])) == TOKEN_INVALID
    assert status_and_code(refresh(api(), lost["refresh"])) == TOKEN_INVALID
    assert profile(api(), here["access"]).status_code == 200
    assert [row["id"] for row in listed(client)] == [id_of(here["access"])]
    assert status_and_code(client.delete(f"{SESSIONS}{id_of(lost['access'])}/")) == NOT_FOUND


def test_the_current_session_can_be_ended(api):
    tokens = open_session(UserFactory())

    response = bearer(api, tokens["access"]).delete(f"{SESSIONS}{id_of(tokens['access'])}/")

    assert response.status_code == 204
    assert status_and_code(profile(api(), tokens["access"])) == TOKEN_INVALID


@pytest.mark.parametrize("person", [UserFactory, AdminFactory])
def test_the_session_of_another_user_and_a_missing_one_are_both_404(api, person):
    pauls = open_session(UserFactory())
    client = api(person())

    answers = [
        client.delete(f"{SESSIONS}{session}/") for session in (id_of(pauls["access"]), uuid4())
    ]

    assert [status_and_code(answer) for answer in answers] == [NOT_FOUND] * 2
    bodies = [answer.json() | {"request_id": ""} for answer in answers]
    assert bodies[0] == bodies[1]
    assert profile(api(), pauls["access"]).status_code == 200


@pytest.mark.parametrize(
    "spelling",
    [
        lambda sid: sid.upper(),
        lambda sid: sid.replace("-", ""),
        lambda sid: f"{{{sid}}}",
        lambda sid: f"urn:uuid:{sid}",
        lambda sid: sid[:-1],
        lambda sid: sid + "0",
        lambda sid: "1",
        lambda sid: "%00",
        lambda sid: sid[:-1] + "\u0660",
    ],
)
def test_an_id_has_one_spelling(api, spelling):
    jane = UserFactory()
    client, other = api(jane), open_session(jane)
    sid = "abcdefab" + id_of(other["access"])[8:]
    Session.objects.filter(pk=id_of(other["access"])).update(id=sid)

    response = client.delete(f"{SESSIONS}{spelling(sid)}/")

    assert status_and_code(response) == NOT_FOUND
    assert Session.objects.live().count() == 2
    assert client.delete(f"{SESSIONS}{sid}/").status_code == 204


def test_all_sessions_including_the_current_one_are_ended(api):
    jane, paul = UserFactory(), UserFactory()
    here, there, pauls = open_session(jane), open_session(jane), open_session(paul)
    by_cookie = Client()
    by_cookie.force_login(jane)

    response = bearer(api, here["access"]).post(END_ALL)

    assert data(response) == {"ended": 2}
    for tokens in (here, there):
        assert status_and_code(profile(api(), tokens["access"])) == TOKEN_INVALID
        assert status_and_code(refresh(api(), tokens["refresh"])) == TOKEN_INVALID
    assert by_cookie.get("/api/auth/profile/").status_code == 401
    assert profile(api(), pauls["access"]).status_code == 200


def test_a_user_without_sessions_can_sign_in_again(api):
    UserFactory(username="jane")
    data(bearer(api, data(sign_in(api(), "jane", PASSWORD))["access"]).post(END_ALL))
    by_cookie = Client()
    by_cookie.force_login(User.objects.get())

    again = data(sign_in(api(), "jane", PASSWORD))

    assert profile(api(), again["access"]).status_code == 200
    assert by_cookie.get("/api/auth/profile/").status_code == 200


def test_a_body_is_refused_and_ends_nothing(api):
    client = api(UserFactory())

    response = client.post(END_ALL, {"except": "this"})

    assert status_and_code(response) == (400, "unknown_field")
    assert len(listed(client)) == 1


def test_ending_a_session_is_no_new_version_of_the_user(api):
    jane = UserFactory()
    before = User.objects.values("version", "updated_at").get()
    versions = jane.history.count()

    data(api(jane).post(END_ALL))

    assert User.objects.values("version", "updated_at").get() == before
    assert jane.history.count() == versions


def test_checking_for_revocation_costs_no_extra_query(api, django_assert_num_queries):
    jane = UserFactory()
    tokens = open_session(jane)
    client = bearer(api, tokens["access"])

    with django_assert_num_queries(2):  # the user and session, and the audit event
        assert client.get("/api/auth/profile/").status_code == 200
    data(api(jane).post(END_ALL))
    with django_assert_num_queries(2):
        assert client.get("/api/auth/profile/").status_code == 401


DAYS_30, MINUTE = timedelta(days=30), timedelta(minutes=1)


def test_prune_deletes_sessions_that_ended_a_month_ago_only(api, capsys):
    jane, now = UserFactory(), timezone.now()
    live = open_session(jane)
    changes = {
        "ended long ago": {"ended_at": now - DAYS_30 - MINUTE},
        "ended lately": {"ended_at": now - DAYS_30 + MINUTE},
        "expired long ago": {"expires_at": now - DAYS_30 - MINUTE},
        "expired lately": {"expires_at": now - DAYS_30 + MINUTE},
        "old and in use": {"created_at": now - timedelta(days=400)},
        "ended, and expired long ago": {"ended_at": now, "expires_at": now - DAYS_30 - MINUTE},
    }
    for name, change in changes.items():
        opened = Session.objects.filter(pk=id_of(open_session(jane)["access"]))
        opened.update(user_agent=name, **change)

    call_command("prune")

    assert "0 count(s) of failed sign-ins, 3 session(s) and 0 letter(s)." in capsys.readouterr().out
    assert set(Session.objects.values_list("user_agent", flat=True)) == {
        "", "ended lately", "expired lately", "old and in use",
    }  # fmt: skip
    assert refresh(api(), live["refresh"]).status_code == 200


def test_prune_deletes_expired_cookie_sessions():
    jane, paul = Client(), Client()
    for browser in (jane, paul):
        browser.force_login(UserFactory())
    expired = BrowserSession.objects.filter(pk=jane.session.session_key)
    expired.update(expire_date=timezone.now() - MINUTE)

    call_command("prune")

    assert BrowserSession.objects.get().pk == paul.session.session_key


AGENTS = {
    "a long one": ("x" * 5000, "x" * 200),
    "control characters": ("Fire\0fox\r\n\x1b[31m\x7f 1", "Firefox[31m 1"),
    "none": (None, ""),
    "bytes": ("\xff\xfe", "\xff\xfe"),
}


@pytest.mark.parametrize(("sent", "kept"), AGENTS.values(), ids=AGENTS)
def test_any_user_agent_can_sign_in(api, sent, kept):
    UserFactory(username="jane")
    headers = {} if sent is None else {"HTTP_USER_AGENT": sent}

    response = sign_in(api(**headers), "jane", PASSWORD)

    assert response.status_code == 200
    assert Session.objects.get().user_agent == kept


@pytest.mark.parametrize(
    ("headers", "proxies", "kept"),
    [
        ({"REMOTE_ADDR": "10.0.0.1"}, 0, "10.0.0.1"),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "1.2.3.4"}, 0, "10.0.0.1"),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "6.6.6.6, 1.2.3.4"}, 1, "1.2.3.4"),
        ({"REMOTE_ADDR": "10.0.0.1", "HTTP_X_FORWARDED_FOR": "unknown"}, 1, None),
        ({"HTTP_X_FORWARDED_FOR": "6.6.6.6:1, 1.2.3.4:5678"}, 1, "1.2.3.4"),
        ({"HTTP_X_FORWARDED_FOR": "[2001:db8::1]:443"}, 1, "2001:db8::1"),
        ({"HTTP_X_FORWARDED_FOR": "[2001:db8::1]"}, 1, "2001:db8::1"),
        ({"HTTP_X_FORWARDED_FOR": "2001:db8::1:443"}, 1, "2001:db8::1:443"),
        ({"HTTP_X_FORWARDED_FOR": "[::ffff:1.2.3.4]:443"}, 1, "1.2.3.4"),
        ({"HTTP_X_FORWARDED_FOR": "1.2.3.4:"}, 1, None),
        ({"HTTP_X_FORWARDED_FOR": "[]:443"}, 1, None),
        ({"HTTP_X_FORWARDED_FOR": "clinic:443"}, 1, None),
        ({"REMOTE_ADDR": ""}, 0, None),
        ({"REMOTE_ADDR": "::ffff:10.0.0.1"}, 0, "10.0.0.1"),
        ({"REMOTE_ADDR": "2001:DB8::0:1"}, 0, "2001:db8::1"),
        ({"REMOTE_ADDR": "fe80::1%eth0"}, 0, "fe80::1"),
    ],
)
def test_a_session_stores_the_client_ip_behind_trusted_proxies(
    api, set_num_proxies, headers, proxies, kept
):
    UserFactory(username="jane")
    set_num_proxies(proxies)

    response = sign_in(api(**headers), "jane", PASSWORD)

    assert response.status_code == 200
    assert Session.objects.get().address == kept


def test_the_session_opened_by_a_password_change_stores_its_origin(api):
    client = api(UserFactory(), REMOTE_ADDR="203.0.113.7")
    change = {"old_password": PASSWORD, "new_password": "an-even-better-battery"}

    data(client.post("/api/auth/password/change/", change))

    assert Session.objects.live().get().address == "203.0.113.7"
