"""The health endpoints for monitoring: /healthz and /readyz."""

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from appointments import overlap_constraints
from config import health


@pytest.fixture
def anonymous():
    return Client()


def test_healthz_succeeds_without_a_database_query(anonymous):
    answer = anonymous.get("/healthz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_readyz_succeeds_with_database_and_migrations(anonymous):
    answer = anonymous.get("/readyz")

    assert answer.status_code == 200
    names = [*health.CHECKS, *health.INFORMATION]
    assert answer.json() == {"status": "ok", "checks": dict.fromkeys(names, "ok")}


@pytest.mark.django_db
def test_an_unapplied_migration_is_not_ready(anonymous):
    MigrationRecorder(connection).migration_qs.filter(app="sessions").delete()

    answer = anonymous.get("/readyz")

    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert answer.json()["status"] == "unavailable"
    assert answer.json()["checks"] == {
        **dict.fromkeys([*health.CHECKS, *health.INFORMATION], "ok"),
        "migrations": "1 unapplied",
    }


@pytest.mark.django_db
def test_without_a_database_healthz_succeeds_and_readyz_fails(anonymous):
    def gone(*statement):
        raise OperationalError("could not connect to host 10.0.0.7")

    with connection.execute_wrapper(gone):
        alive, ready = anonymous.get("/healthz"), anonymous.get("/readyz")

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert ready["Retry-After"] == "5"
    assert ready.json()["checks"]["database"] == "unreachable"
    assert "10.0.0.7" not in ready.content.decode()


@pytest.mark.django_db
def test_a_check_is_added_to_a_dictionary(anonymous, monkeypatch):
    monkeypatch.setitem(health.CHECKS, "coffee", lambda: "cold")

    answer = anonymous.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["coffee"] == "cold"


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_health_endpoints_are_public_and_allow_get_and_head_only(address):
    client = Client(enforce_csrf_checks=True)

    assert client.head(address).status_code == 200
    for method in ("post", "put", "patch", "delete", "options"):
        assert getattr(client, method)(address).status_code == 405, method
    assert not client.cookies


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_health_endpoints_are_not_redirected_to_https(anonymous, settings, address):
    settings.SECURE_SSL_REDIRECT = True

    assert anonymous.get("/admin/").status_code == 301
    assert anonymous.get(address).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_database_without_overlap_constraints_is_not_ready(anonymous):
    overlap_constraints.remove(connection)

    answer = anonymous.get("/readyz")
    overlap_constraints.install(connection)

    assert answer.status_code == 503
    assert answer.json()["checks"]["guards"] == "2 missing"
    assert anonymous.get("/readyz").status_code == 200
