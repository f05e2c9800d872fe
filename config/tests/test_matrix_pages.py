"""The addresses that are no viewset's: each is named here, open to anyone or the admins' alone."""

import pytest

from accounts.tests.factories import AdminFactory
from config.access_report import iter_urls
from config.tests.personas import build_clinic

# (what a stranger's GET is answered, a POST): the pages anybody may ask for.
OPEN = {
    "/": (200, 405),
    "/api/": (200, 405),
    "/api/schema/": (200, 405),
    "/api/docs/": (200, 405),
    "/healthz": (200, 405),
    "/readyz": (200, 405),
    "/favicon.ico": (302, 302),
    "/api-auth/login/": (200, 200),
    "/api-auth/logout/": (405, 302),
    "/media/{path}": (404, 404),
    "/api(/|$)": (404, 404),
    "/admin/login/": (200, 200),
    "/admin/logout/": (302, 302),
}
NOT_AT_THE_DESK = ["anonymous", "jane", "house", "new", "dismissed"]


def pages():
    return {address for address, view in iter_urls() if not hasattr(view, "actions")}


def filled(address, pk):
    for name in ("<path:object_id>", "<path:content_type_id>", "^([^/]+)", "([^/]+)"):
        address = address.replace(name, str(pk))
    address = address.replace("{app_label}", "patients").replace("{url}", "nowhere")
    return address.replace("^", "").replace("$", "").replace("{path}", "avatars/no-such.webp")


def test_every_other_address_is_listed():
    unnamed = {one for one in pages() if one not in OPEN and not one.startswith("/admin/")}

    assert unnamed == set()
    assert set(OPEN) <= pages()


@pytest.mark.parametrize("address", OPEN)
@pytest.mark.django_db
def test_an_open_page_needs_no_sign_in(client, address):
    url = "/api/nowhere/" if "|" in address else filled(address, 1)

    answers = client.get(url), client.post(url)

    assert tuple(answer.status_code for answer in answers) == OPEN[address]


@pytest.mark.parametrize("who", NOT_AT_THE_DESK)
@pytest.mark.django_db
def test_the_admin_redirects_all_but_active_admins_to_its_login(client, who):
    clinic = build_clinic()
    clinic.dismissed = AdminFactory(username="dismissed")
    if who != "anonymous":
        client.force_login(getattr(clinic, who))
    type(clinic.dismissed).objects.filter(pk=clinic.dismissed.pk).update(is_active=False)
    admin_pages = sorted(one for one in pages() if one.startswith("/admin/") and one not in OPEN)

    assert len(admin_pages) >= 90
    for address in admin_pages:
        for pk in (clinic.jane.pk, clinic.appointment.pk, 999_999):
            url = filled(address, pk)
            for answer in (client.get(url), client.post(url, {"action": "cancel"})):
                assert answer.status_code == 302, (url, answer.status_code)
                assert answer["Location"].startswith("/admin/login/?next="), url


@pytest.mark.django_db
def test_an_admin_opens_every_page_of_the_admin(client):
    clinic = build_clinic()
    client.force_login(clinic.ada)

    for address in sorted(one for one in pages() if one.startswith("/admin/")):
        if address in OPEN:
            continue
        answer = client.get(filled(address, clinic.jane.pk))
        assert answer.status_code in (200, 302, 403, 404, 405), address
        assert not answer.get("Location", "").startswith("/admin/login/"), address
