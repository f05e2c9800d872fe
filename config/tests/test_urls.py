"""Every URL of the seed works at both mounts, and no other URL does."""

import pytest
from django.urls import resolve, reverse

from config.access_report import endpoint_names, iter_endpoints

# The list in the seed's section "API Endpoints", unchanged.
SEED = """
POST /api/auth/register/
POST /api/auth/login/
POST /api/auth/logout/
POST /api/auth/refresh/
GET /api/auth/profile/
PUT /api/auth/profile/
GET /api/patients/api/patients/
POST /api/patients/api/patients/
GET /api/patients/api/patients/{id}/
PUT /api/patients/api/patients/{id}/
DELETE /api/patients/api/patients/{id}/
GET /api/appointments/api/appointments/
POST /api/appointments/api/appointments/
GET /api/appointments/api/appointments/{id}/
PUT /api/appointments/api/appointments/{id}/
POST /api/appointments/api/appointments/{id}/cancel/
POST /api/appointments/api/appointments/{id}/reschedule/
POST /api/appointments/api/appointments/{id}/complete/
GET /api/appointments/api/time-slots/
POST /api/appointments/api/time-slots/
POST /api/appointments/api/time-slots/create_bulk_slots/
GET /api/appointments/api/doctor-availability/
GET /api/appointments/api/statistics/
GET /api/appointments/api/upcoming/
GET /api/appointments/api/today/
GET /api/consultations/api/consultations/
POST /api/consultations/api/consultations/
GET /api/consultations/api/consultations/{id}/
PUT /api/consultations/api/consultations/{id}/
POST /api/consultations/api/consultations/{id}/start_consultation/
POST /api/consultations/api/consultations/{id}/complete_consultation/
GET /api/consultations/api/consultations/{id}/vital-signs/
POST /api/consultations/api/consultations/{id}/vital-signs/
GET /api/consultations/api/consultations/{id}/prescriptions/
POST /api/consultations/api/consultations/{id}/prescriptions/
GET /api/consultations/api/consultations/{id}/notes/
POST /api/consultations/api/consultations/{id}/notes/
"""
SEEDED = [tuple(line.split()) for line in SEED.split("\n") if line]


def canonical(address):
    """Returns the canonical URL: /api/patients/api/patients/7/ becomes /api/patients/7/."""
    return "/api/" + address.removeprefix("/api/").split("api/", 1)[-1]


@pytest.mark.parametrize(("method", "address"), SEEDED)
def test_a_seed_path_and_its_canonical_path_resolve_to_one_view(method, address):
    seeded = resolve(address.format(id=7))
    clean = resolve(canonical(address).format(id=7))

    assert seeded.func.cls is clean.func.cls
    assert seeded.view_name == clean.view_name
    assert seeded.kwargs == clean.kwargs
    assert seeded.func.actions[method.lower()] == clean.func.actions[method.lower()]


@pytest.mark.parametrize(("method", "address"), SEEDED)
@pytest.mark.django_db
def test_a_seed_path_is_answered_in_the_envelope(api, method, address):
    for twin in (address, canonical(address)):
        response = api().generic(method, twin.format(id=7), "{}", "application/json")

        expected = 400 if "auth" in twin and "profile" not in twin else 401
        assert response.status_code == expected
        assert response.json()["status"] == "error"


def test_every_endpoint_except_authentication_is_at_both_mounts():
    endpoints = iter_endpoints()
    clean = endpoint_names([endpoint for endpoint in endpoints if endpoint.is_canonical])
    seeded = endpoint_names([endpoint for endpoint in endpoints if not endpoint.is_canonical])

    twins = {(method, canonical(address)): view for (method, address), view in seeded.items()}

    sign_in = {key for key in clean if key[1].startswith("/api/auth/")}
    assert twins == {key: view for key, view in clean.items() if key not in sign_in}


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("appointment-list", "/api/appointments/"),
        ("patient-list", "/api/patients/"),
        ("upcoming-list", "/api/upcoming/"),
        ("auth-login", "/api/auth/login/"),
    ],
)
def test_reversed_urls_use_the_canonical_mount(name, address):
    assert reverse(name) == address


@pytest.mark.parametrize(
    "address",
    [
        "/api",
        "/api/nowhere/",
        "/api/appointments",
        "/api/appointments/7",
        "/api/appointments/api/appointments",
        "/api/patients/api/nowhere/",
        "/api/appointments/seven/",
        "/api/appointments/\N{ARABIC-INDIC DIGIT ONE}/",
        "/api/appointments/-1/",
        "/api/appointments/1.5/",
        "/api/consultations/null/prescriptions/",
        "/api/auth/",
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "options"])
@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.django_db
def test_an_unknown_path_is_404_in_the_envelope_and_never_a_redirect(
    api, settings, address, method, debug
):
    settings.DEBUG = debug

    response = getattr(api(), method)(address)

    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


@pytest.mark.parametrize("address", ["/", "/api/"])
@pytest.mark.django_db
def test_the_index_is_public_and_lists_every_url_without_a_parameter(api, address):
    response = api().get(address)

    assert response.status_code == 200
    listed = {link.removeprefix("http://testserver") for link in response.json()["data"].values()}
    plain = {
        endpoint.address
        for endpoint in iter_endpoints()
        if endpoint.is_canonical and "{" not in endpoint.address
    }
    assert listed == plain
