"""The access tables: each endpoint has a row, and the whole matrix stands here once, literally."""

import re
from uuid import UUID

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command

from accounts.permissions import SAME_AS
from accounts.roles import ANYONE, SIGNED_IN
from config.access_report import endpoint_names, iter_endpoints
from config.tests.personas import build_clinic

CANONICAL = [endpoint for endpoint in iter_endpoints() if endpoint.is_canonical]

# P patient, D doctor, A admin, U unverified doctor; * anyone. What is not here does not exist.
MATRIX = """
POST   /api/auth/register/                                          *
POST   /api/auth/login/                                             *
POST   /api/auth/refresh/                                           *
POST   /api/auth/logout/                                            *
GET    /api/auth/profile/                                           PDAU
PUT    /api/auth/profile/                                           PDAU
PATCH  /api/auth/profile/                                           PDAU
POST   /api/auth/password/change/                                   PDAU
POST   /api/auth/password/reset/                                    *
POST   /api/auth/password/reset/confirm/                            *
POST   /api/auth/email/verify/                                      *
POST   /api/auth/email/resend/                                      PDAU
GET    /api/auth/sessions/                                          PDAU
POST   /api/auth/sessions/end_all/                                  PDAU
DELETE /api/auth/sessions/{session}/                                PDAU
GET    /api/patients/                                               DA
POST   /api/patients/                                               DA
POST   /api/patients/search/                                        DA
GET    /api/patients/{pk}/                                          PDA
PUT    /api/patients/{pk}/                                          PDA
PATCH  /api/patients/{pk}/                                          PDA
DELETE /api/patients/{pk}/                                          A
GET    /api/patients/{pk}/access-log/                               PA
GET    /api/patients/{patient}/emergency-access/                    PDA
POST   /api/patients/{patient}/emergency-access/                    D
GET    /api/patients/{patient}/emergency-access/{pk}/               PDA
GET    /api/patients/{patient}/appointments/                        PDA
GET    /api/patients/{patient}/consultations/                       PDA
GET    /api/doctors/                                                PDAU
GET    /api/doctors/{pk}/                                           PDAU
GET    /api/time-slots/                                             PDAU
POST   /api/time-slots/                                             DAU
POST   /api/time-slots/create_bulk_slots/                           DAU
GET    /api/time-slots/{pk}/                                        PDAU
PUT    /api/time-slots/{pk}/                                        DAU
PATCH  /api/time-slots/{pk}/                                        DAU
DELETE /api/time-slots/{pk}/                                        DAU
GET    /api/doctor-availability/                                    PDAU
GET    /api/statistics/                                             PDA
GET    /api/upcoming/                                               PDA
GET    /api/today/                                                  PDA
GET    /api/appointments/                                           PDA
POST   /api/appointments/                                           PDA
GET    /api/appointments/{pk}/                                      PDA
PUT    /api/appointments/{pk}/                                      PDA
PATCH  /api/appointments/{pk}/                                      PDA
POST   /api/appointments/{pk}/confirm/                              DA
POST   /api/appointments/{pk}/start/                                DA
POST   /api/appointments/{pk}/complete/                             DA
POST   /api/appointments/{pk}/no_show/                              DA
POST   /api/appointments/{pk}/cancel/                               PDA
POST   /api/appointments/{pk}/reschedule/                           PDA
POST   /api/appointments/{pk}/reopen/                               DA
GET    /api/appointments/{pk}/history/                              PDA
GET    /api/consultations/                                          PDA
POST   /api/consultations/                                          DA
GET    /api/consultations/{pk}/                                     PDA
PUT    /api/consultations/{pk}/                                     DA
PATCH  /api/consultations/{pk}/                                     DA
POST   /api/consultations/{pk}/start_consultation/                  DA
POST   /api/consultations/{pk}/complete_consultation/               DA
POST   /api/consultations/{pk}/reopen/                              DA
GET    /api/consultations/{consultation}/vital-signs/               PDA
POST   /api/consultations/{consultation}/vital-signs/               DA
GET    /api/consultations/{consultation}/vital-signs/{pk}/          PDA
GET    /api/consultations/{consultation}/prescriptions/             PDA
POST   /api/consultations/{consultation}/prescriptions/             DA
GET    /api/consultations/{consultation}/prescriptions/{pk}/        PDA
PATCH  /api/consultations/{consultation}/prescriptions/{pk}/        DA
GET    /api/consultations/{consultation}/notes/                     PDA
POST   /api/consultations/{consultation}/notes/                     DA
GET    /api/consultations/{consultation}/notes/{pk}/                PDA
"""
LETTERS = {"P": "patient", "D": "doctor", "A": "admin", "U": "unverified_doctor"}
AGREED = {
    (method, address): letters
    for method, address, letters in (line.split() for line in MATRIX.split("\n") if line)
}
ACTORS = {"P": "jane", "D": "house", "A": "ada", "U": "new"}
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
NOWHERE = {"pk": 1, "patient": 1, "consultation": 1, "session": UUID(int=1)}


def rows():
    """(endpoint, method, action) of every canonical endpoint."""
    return [
        (endpoint, method.upper(), action)
        for endpoint in CANONICAL
        for method, action in endpoint.actions.items()
        if method != "head"
    ]


@pytest.mark.parametrize(("endpoint", "method", "action"), rows())
def test_every_endpoint_has_a_row(endpoint, method, action):
    assert SAME_AS.get(action, action) in endpoint.view.access, (
        f"{endpoint.address} is closed to all"
    )


def test_every_row_has_an_endpoint():
    endpoints = {}
    for endpoint, _, action in rows():
        endpoints.setdefault(endpoint.view, set()).add(SAME_AS.get(action, action))

    for view, actions in endpoints.items():
        assert set(view.access) == actions, view.__name__


def test_the_matrix_is_the_agreed_one():
    """The tests below walk the tables and so cannot notice a wrong row; this does."""
    found = {}
    for endpoint, method, action in rows():
        roles = endpoint.view.access[SAME_AS.get(action, action)]
        found[method, endpoint.address] = (
            "*" if roles == ANYONE else "".join(x for x in "PDAU" if LETTERS[x] in roles)
        )

    assert found == AGREED
    assert set(LETTERS.values()) == SIGNED_IN


@pytest.mark.parametrize("letter", ACTORS)
@pytest.mark.django_db
def test_a_role_without_access_is_refused_whether_or_not_the_record_exists(api, letter):
    clinic = build_clinic()
    actor = getattr(clinic, ACTORS[letter])
    client, _ = api(actor), api(actor)
    ids = {"pk": clinic.appointment.pk, "patient": clinic.jane.pk}
    ids["session"] = actor.sessions.latest("created_at").pk
    ids["consultation"] = clinic.consultation.pk
    nowhere = dict.fromkeys(ids, 999_999) | {"session": UUID(int=1)}

    for (method, address), letters in AGREED.items():
        if letters == "*":
            continue
        for where in (ids, nowhere):
            response = client.generic(
                method, address.format(**where), '{"no": 1}', "application/json"
            )

            refused = response.status_code == 403
            assert refused == (letter not in letters), (method, address, response.content)
            if refused and letter == "U" and "D" in letters:
                assert response.json()["code"] == "license_not_verified"


@pytest.mark.django_db
def test_an_anonymous_request_to_a_closed_endpoint_is_401(api):
    for (method, address), letters in AGREED.items():
        response = api().generic(
            method,
            address.format(**NOWHERE),
            "{}",
            "application/json",
        )

        if letters == "*":
            assert response.status_code == 400, (method, address)
        else:
            assert response.status_code == 401, (method, address)
            assert response.json()["code"] == "not_authenticated"
            assert response["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.django_db
def test_an_unsupported_method_is_405_for_all_roles(api):
    clinic = build_clinic()
    addresses = {address for _, address in AGREED}

    for name in ("jane", "house", "ada", "new"):
        client = api(getattr(clinic, name))
        for address in addresses:
            cache.clear()  # the throttles count these too
            for method in METHODS:
                if (method, address) in AGREED:
                    continue
                response = client.generic(
                    method,
                    address.format(**NOWHERE),
                    "{}",
                    "application/json",
                )
                assert response.status_code == 405, (name, method, address)
                assert response.json()["code"] == "method_not_allowed"


@pytest.mark.django_db
def test_an_anonymous_request_with_an_unsupported_method_is_401(api):
    open_doors = {address for (_, address), letters in AGREED.items() if letters == "*"}

    for address in {address for _, address in AGREED}:
        for method in METHODS:
            if (method, address) in AGREED:
                continue
            cache.clear()
            url = address.format(**NOWHERE)
            response = api().generic(method, url, "{}", "application/json")
            assert response.status_code == (405 if address in open_doors else 401), address


@pytest.mark.django_db
def test_options_responses_contain_no_names(api):
    clinic = build_clinic()
    people = (clinic.jane, clinic.paul, clinic.house, clinic.grey)
    names = [word for one in people for word in (one.first_name, one.last_name)]

    for address in {address for _, address in AGREED}:
        for actor in (clinic.house, clinic.ada):
            url = address.format(
                pk=clinic.appointment.pk,
                patient=clinic.jane.pk,
                consultation=clinic.consultation.pk,
                session=NOWHERE["session"],
            )
            text = api(actor).options(url).content.decode()
            assert not [name for name in names if name in text], address


@pytest.mark.parametrize("kind", ["deactivated", "signed_out"])
@pytest.mark.django_db
def test_an_ended_token_gives_no_access(api, kind):
    clinic = build_clinic()
    client = api(clinic.ada)
    if kind == "deactivated":
        type(clinic.ada).objects.filter(pk=clinic.ada.pk).update(is_active=False)
    else:
        clinic.ada.sessions.end()

    for (method, address), letters in AGREED.items():
        if letters == "*":
            continue
        response = client.generic(method, address.format(**NOWHERE), "{}", "application/json")
        assert (response.status_code, response.json()["code"]) == (401, "token_invalid")


def test_endpoint_names_are_unique():
    assert len(endpoint_names(CANONICAL)) == len(AGREED)


def test_the_access_report_matches_the_tables(capsys):
    call_command("access")

    written = (settings.BASE_DIR / "docs" / "access.md").read_text()
    assert capsys.readouterr().out == written
    rows = re.findall(r"^\| ([A-Z, ]+) (/api/\S+) \| (.+) \|$", written, re.MULTILINE)
    documented = {
        (method, address): set(roles.split(", "))
        for methods, address, roles in rows
        for method in methods.split(", ")
    }
    assert documented == {key: roles_in_report(letters) for key, letters in AGREED.items()}


def roles_in_report(letters):
    if set(letters) == set(LETTERS):
        return {"all roles"}
    return {(LETTERS | {"*": "anyone"})[letter].replace("_", " ") for letter in letters}


@pytest.mark.django_db
def test_an_endpoint_without_a_row_is_closed_to_admins_too(monkeypatch, api):
    clinic = build_clinic()
    endpoint = next(one for one in CANONICAL if one.address == "/api/appointments/")
    monkeypatch.setattr(
        endpoint.view, "access", {k: v for k, v in endpoint.view.access.items() if k != "list"}
    )

    assert api(clinic.ada).get("/api/appointments/").status_code == 403
    assert api().get("/api/appointments/").status_code == 401
