"""The SQL of docs/operations.md gives each database role what it needs, and nothing else."""

import re
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction

from accounts.audit import hash_chain
from accounts.models import AuditEvent
from accounts.tests.audit_tampering import write_events
from accounts.tests.helpers import data
from appointments.tests.factories import make_appointment
from config.db.transactions import sqlstate

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no roles"),
]

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/operations.md"
PERMISSION_DENIED = "42501"


def documented_sql(suffix):
    """The statements of the chapter, with names that no other test database uses."""
    chapter = DOCUMENT.read_text().partition("### Write protection\n")[2].partition("\n### ")[0]
    sql = "\n".join(re.findall(r"```sql\n(.*?)```", chapter, re.DOTALL))
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    sql = sql.replace("DATABASE clinic ", f"DATABASE {name} ")
    return re.sub(r"\b(clinic_app|clinic_seal)\b", rf"\1_{suffix}", sql)


@pytest.fixture
def as_role(db):
    """A context in which the statements of the connection run as that documented role.

    The roles end with the transaction of the test.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT oid FROM pg_database WHERE datname = current_database()")
        [suffix] = cursor.fetchone()
        cursor.execute(documented_sql(suffix))

    @contextmanager
    def role(name):
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {name}_{suffix}")
            yield
            cursor.execute("RESET ROLE")

    return role


def assert_refused(sql):
    with pytest.raises(ProgrammingError) as refusal, transaction.atomic():
        connection.cursor().execute(sql)
    assert sqlstate(refusal.value) == PERMISSION_DENIED, refusal.value


TEMPORARY = [
    "CREATE TEMPORARY TABLE accounts_auditevent (id bigint)",
    "CREATE TEMPORARY TABLE accounts_auditseal AS SELECT * FROM accounts_auditseal",
    "CREATE TEMPORARY VIEW accounts_auditseal AS SELECT 1 AS n",
    "CREATE TABLE public.hidden (id bigint)",
    "CREATE SCHEMA hidden",
]
ALTERED = [
    "UPDATE accounts_auditevent SET actor = 1",
    "DELETE FROM accounts_auditevent",
    "TRUNCATE accounts_auditevent",
    "UPDATE accounts_auditseal SET hash = ''",
    "DELETE FROM accounts_auditseal",
    "TRUNCATE accounts_auditseal",
    "DROP TABLE accounts_auditseal",
    "DROP TRIGGER accounts_auditevent_update ON accounts_auditevent",
    "ALTER TABLE accounts_auditevent DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "CREATE OR REPLACE FUNCTION only_append() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
]
INSERT_HASH = "INSERT INTO accounts_auditseal (n, event, hash, proof) VALUES (9, 9, 'x', '')"


@pytest.mark.parametrize("sql", [*TEMPORARY, *ALTERED, INSERT_HASH])
def test_the_role_of_the_platform_neither_hashes_nor_hides_nor_alters_the_audit(as_role, sql):
    with as_role("clinic_app"):
        assert_refused(sql)


@pytest.mark.parametrize(
    "sql",
    [
        *TEMPORARY,
        *ALTERED,
        "SELECT * FROM accounts_user",
        "SELECT * FROM appointments_appointment",
        "INSERT INTO django_session VALUES ('a', 'b', now())",
    ],
)
def test_the_role_that_hashes_sees_nothing_but_the_audit_and_alters_nothing(as_role, sql):
    with as_role("clinic_seal"):
        assert_refused(sql)


def test_the_role_of_the_platform_serves_requests(as_role, api, house, jane):
    visit = make_appointment(patient=jane, doctor=house)

    with as_role("clinic_app"):
        client = api(house)
        data(client.get("/api/appointments/"))
        data(client.post(f"/api/appointments/{visit.pk}/confirm/"))

    events = AuditEvent.objects.order_by("-pk").values_list("event", flat=True)
    assert list(events[:2]) == ["appointment.confirm", "appointment.list"]


def test_the_role_that_hashes_runs_its_commands(as_role, settings, tmp_path, capsys):
    settings.AUDIT_CHECKPOINTS = str(tmp_path / "checkpoints")
    write_events(5)

    with as_role("clinic_seal"):
        call_command("seal_audit")
        call_command("verify_audit")
        (tmp_path / "checkpoints").unlink()
        call_command("seal_audit", "--new-checkpoints")
        call_command("verify_audit")

    assert "Valid up to link 6" in capsys.readouterr().out
    assert hash_chain.head()[0] == 6
