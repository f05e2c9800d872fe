"""Rows of the audit tables cannot be updated, deleted or replaced."""

import pytest
from django.apps import apps
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import DatabaseError, connection, transaction

from accounts.audit import append_only, hash_chain
from accounts.models import Action, AuditEvent, AuditSeal

ON_POSTGRESQL = connection.vendor == "postgresql"


@pytest.fixture
def event(db):
    event = AuditEvent.objects.create(event="appointment.book", action=Action.CREATE, actor=7)
    AuditEvent.objects.create(event="appointment.list", action=Action.READ)
    hash_chain.append_hashes()
    return event


def execute(statement):
    with connection.cursor() as cursor:
        cursor.execute(statement)


CHANGES = {
    "queryset update": lambda event: AuditEvent.objects.update(actor=None),
    "queryset delete": lambda event: AuditEvent.objects.all().delete(),
    "instance save": lambda event: event.save(),
    "instance delete": lambda event: event.delete(),
    "bulk update": lambda event: AuditEvent.objects.bulk_update([event], ["actor"]),
    "upsert": lambda event: AuditEvent.objects.bulk_create(
        [AuditEvent(pk=event.pk, event="x", action="R")],
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["event"],
    ),
    "hash update": lambda event: AuditSeal.objects.update(hash="0" * 64),
    "hash delete": lambda event: AuditSeal.objects.all()._raw_delete(connection.alias),
    "raw update": lambda event: execute("UPDATE accounts_auditevent SET actor = 1"),
    "raw delete": lambda event: execute("DELETE FROM accounts_auditevent"),
}
if ON_POSTGRESQL:
    CHANGES |= {
        "truncate": lambda event: execute("TRUNCATE accounts_auditevent"),
        "truncate hashes": lambda event: execute("TRUNCATE accounts_auditseal"),
    }
else:
    CHANGES |= {
        "replace": lambda event: execute(
            "REPLACE INTO accounts_auditseal (n, event, hash, proof) VALUES (1, 1, 'x', '')"
        ),
        "replace by event": lambda event: execute(
            "REPLACE INTO accounts_auditseal (n, event, hash, proof)"
            " SELECT 9, event, 'x', '' FROM accounts_auditseal WHERE n = 1"
        ),
        "replace by rowid": lambda event: execute(
            "REPLACE INTO accounts_auditseal (rowid, n, event, hash, proof)"
            " VALUES (1, 9, 9, 'x', '')"
        ),
        "insert or replace": lambda event: execute(
            "INSERT OR REPLACE INTO accounts_auditevent SELECT * FROM accounts_auditevent"
        ),
    }


def rows():
    return list(AuditEvent.objects.values_list()), list(AuditSeal.objects.values_list())


@pytest.mark.parametrize("how", CHANGES)
def test_audit_rows_cannot_be_changed(event, how):
    before = rows()

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        CHANGES[how](event)

    assert rows() == before


def test_audit_rows_can_be_added(event):
    AuditEvent.objects.create(event="patient.list", action=Action.READ)

    assert hash_chain.append_hashes() == 1


@pytest.fixture
def missing_trigger(event):
    table = "accounts_auditseal"
    on = f" ON {table}" if ON_POSTGRESQL else ""
    execute(f"DROP TRIGGER {table}_delete{on}")


def test_a_missing_trigger_is_reported_and_reinstalled(missing_trigger):
    assert [one.name for one in append_only.missing(connection)] == ["accounts_auditseal_delete"]
    with pytest.raises(SystemCheckError, match="accounts_auditseal_delete"):
        call_command("check", databases=["default"])

    append_only.install_after_migrate(apps.get_app_config("accounts"), "default")

    assert append_only.missing(connection) == []


def test_a_same_named_trigger_without_effect_is_reported(missing_trigger):
    if ON_POSTGRESQL:
        execute(
            "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'"
        )
        body = "FOR EACH ROW EXECUTE FUNCTION pass()"
    else:
        body = "BEGIN SELECT 1; END"
    execute(f"CREATE TRIGGER accounts_auditseal_delete BEFORE DELETE ON accounts_auditseal {body}")

    assert [one.name for one in append_only.missing(connection)] == ["accounts_auditseal_delete"]
    append_only.install(connection)

    assert append_only.missing(connection) == []


@pytest.mark.skipif(not ON_POSTGRESQL, reason="SQLite's names are those of the whole database")
@pytest.mark.parametrize(
    "instead",
    [
        "BEFORE DELETE ON bait FOR EACH ROW EXECUTE FUNCTION only_append()",
        "BEFORE DELETE ON accounts_auditseal FOR EACH STATEMENT EXECUTE FUNCTION only_append()",
        (
            "BEFORE DELETE ON accounts_auditseal FOR EACH ROW WHEN (OLD.n < 0)"
            " EXECUTE FUNCTION only_append()"
        ),
    ],
)
def test_a_trigger_on_the_wrong_table_or_condition_is_reported(missing_trigger, instead):
    execute("CREATE TABLE bait (n integer)")
    execute(f"CREATE TRIGGER accounts_auditseal_delete {instead}")

    assert [one.name for one in append_only.missing(connection)] == ["accounts_auditseal_delete"]


@pytest.mark.skipif(not ON_POSTGRESQL, reason="SQLite cannot switch a trigger off")
def test_a_disabled_trigger_is_reported(event):
    execute("ALTER TABLE accounts_auditevent DISABLE TRIGGER accounts_auditevent_update")

    assert [one.name for one in append_only.missing(connection)] == ["accounts_auditevent_update"]


@pytest.mark.skipif(ON_POSTGRESQL, reason="PostgreSQL never rebuilds a table")
@pytest.mark.django_db(transaction=True)
def test_triggers_are_reinstalled_by_migrate_after_sqlite_rebuilds_a_table():
    with connection.schema_editor() as editor:
        editor._remake_table(AuditEvent)
    assert len(append_only.missing(connection)) == 3

    call_command("migrate", verbosity=0)

    assert append_only.missing(connection) == []
