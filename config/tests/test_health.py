"""What the machines that watch are told."""

import pytest
from django.db import OperationalError, connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client

from appointments import overlap_constraints
from config import health


@pytest.fixture
def nobody():
    return Client()


def test_a_living_process_says_so_without_asking_the_database(nobody):
    answer = nobody.get("/healthz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok"}
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_a_process_with_its_database_and_its_migrations_is_ready(nobody):
    answer = nobody.get("/readyz")

    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "checks": dict.fromkeys(health.CHECKS, "ok")}


@pytest.mark.django_db
def test_an_unapplied_migration_is_not_ready(nobody):
    MigrationRecorder(connection).migration_qs.filter(app="sessions").delete()

    answer = nobody.get("/readyz")

    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
    assert answer.json()["status"] == "unavailable"
    assert answer.json()["checks"] == {
        **dict.fromkeys(health.CHECKS, "ok"),
        "migrations": "1 unapplied",
    }


@pytest.mark.django_db
def test_without_its_database_a_process_lives_and_is_not_ready(nobody):
    def gone(*statement):
        raise OperationalError("could not connect to host 10.0.0.7")

    with connection.execute_wrapper(gone):
        alive, ready = nobody.get("/healthz"), nobody.get("/readyz")

    assert alive.status_code == 200
    assert ready.status_code == 503
    assert ready["Retry-After"] == "5"
    assert ready.json()["checks"]["database"] == "unreachable"
    assert "10.0.0.7" not in ready.content.decode()


@pytest.mark.django_db
def test_a_further_check_is_one_row(nobody, monkeypatch):
    monkeypatch.setitem(health.CHECKS, "coffee", lambda: "cold")

    answer = nobody.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["checks"]["coffee"] == "cold"


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_health_is_read_by_anyone_and_by_get_and_head_alone(address):
    client = Client(enforce_csrf_checks=True)

    assert client.head(address).status_code == 200
    for method in ("post", "put", "patch", "delete", "options"):
        assert getattr(client, method)(address).status_code == 405, method
    assert not client.cookies


@pytest.mark.parametrize("address", ["/healthz", "/readyz"])
@pytest.mark.django_db
def test_health_is_not_sent_to_https(nobody, settings, address):
    settings.SECURE_SSL_REDIRECT = True

    assert nobody.get("/api/doctors/").status_code == 301
    assert nobody.get(address).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_a_database_that_would_take_an_overlap_is_not_ready(nobody):
    overlap_constraints.remove(connection)

    answer = nobody.get("/readyz")
    overlap_constraints.install(connection)

    assert answer.status_code == 503
    assert answer.json()["checks"]["guards"] == "2 missing"
    assert nobody.get("/readyz").status_code == 200
