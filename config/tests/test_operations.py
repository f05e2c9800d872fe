"""The migration operations of config.db.operations, on both engines."""

import pytest
from django.db import DatabaseError, connection, models
from django.db.migrations.state import ProjectState

from config.db import operations
from patients.models import EmergencyAccess

TABLE = EmergencyAccess._meta.db_table
INDEX = models.Index(fields=["reason"], name="by_reason")
CHECK = models.CheckConstraint(condition=~models.Q(reason="none"), name="has_a_reason")

pytestmark = pytest.mark.django_db(transaction=True)  # CONCURRENTLY is refused in a transaction


@pytest.fixture
def migrate():
    """Applies operations to the patients' tables. Undone afterwards."""
    steps, state = [], ProjectState.from_apps(EmergencyAccess._meta.apps)

    def apply(operation):
        nonlocal state
        before, after = state, state.clone()
        operation.state_forwards("patients", after)
        with connection.schema_editor(atomic=False) as editor:
            operation.database_forwards("patients", editor, before, after)
        steps.append((operation, before, after))
        state = after

    yield apply
    for operation, before, after in reversed(steps):
        with connection.schema_editor(atomic=False) as editor:
            operation.database_backwards("patients", editor, after, before)
    assert not {"by_reason", "has_a_reason"} & set(constraints())


def constraints():
    with connection.cursor() as cursor:
        return connection.introspection.get_constraints(cursor, TABLE)


def test_an_index_is_created_concurrently(migrate):
    migrate(operations.AddIndexConcurrently("emergencyaccess", INDEX))

    assert constraints()["by_reason"]["columns"] == ["reason"]


def test_a_constraint_is_added_and_then_validated(migrate):
    migrate(operations.AddConstraintNotValid("emergencyaccess", CHECK))
    migrate(operations.ValidateConstraint("emergencyaccess", "has_a_reason"))

    assert constraints()["has_a_reason"]["check"]
    with pytest.raises(DatabaseError, match="has_a_reason"), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TABLE} (patient_id, doctor_id, reason, created_at, expires_at)"  # noqa: S608
            " VALUES (1, 1, 'none', '2026-01-01', '2026-01-02')"
        )
