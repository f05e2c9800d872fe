"""The check of new migrations, tried on made-up migrations of the app `patients`."""

import sys

import pytest
from django.db import connection

from patients import migrations as applied
from verification import lint_migrations

HEAD = """
from django.db import migrations, models
from config.db import operations

class Migration(migrations.Migration):
    dependencies = [("patients", "0007_validate_reviews")]
"""
INDEX = "model_name='emergencyaccess', index=models.Index(fields=['reason'], name='by_reason')"
CHECK = (
    "model_name='emergencyaccess', constraint=models.CheckConstraint("
    "condition=~models.Q(reason=''), name='has_a_reason')"
)
TABLE = (
    "'Room', [('id', models.BigAutoField(primary_key=True)), "
    "('access', models.ForeignKey('patients.emergencyaccess', models.PROTECT))]"
)

pytestmark = [
    pytest.mark.django_db(transaction=True),  # `CONCURRENTLY` is refused in a transaction
    pytest.mark.skipif(connection.vendor != "postgresql", reason="the SQL is PostgreSQL's"),
]


@pytest.fixture
def write(tmp_path, settings, monkeypatch):
    """Writes a migration that stands after those of the app."""
    package = tmp_path / "made_up_migrations"
    package.mkdir()
    (package / "__init__.py").write_text(f"__path__.append({applied.__path__[0]!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    settings.MIGRATION_MODULES = {"patients": "made_up_migrations"}

    def write_migration(body):
        (package / "0008_made_up.py").write_text(HEAD + body)

    yield write_migration
    for name in [name for name in sys.modules if name.startswith("made_up_migrations")]:
        del sys.modules[name]


def test_the_migrations_of_today_are_exempt():
    assert lint_migrations.lint(lint_migrations.new_migrations()) == ""


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (f"    operations = [migrations.AddIndex({INDEX})]", "require-concurrent-index-creation"),
        (f"    operations = [migrations.AddConstraint({CHECK})]", "constraint-missing-not-valid"),
        (
            "    operations = [migrations.RemoveField('emergencyaccess', 'reason')]",
            "ban-drop-column",
        ),
    ],
)
def test_a_migration_that_locks_a_table_is_refused(write, body, rule):
    write(body)

    migrations = lint_migrations.new_migrations()

    assert ("patients", "0008_made_up") in migrations
    assert rule in lint_migrations.lint(migrations)


@pytest.mark.parametrize(
    "body",
    [
        f"    atomic = False\n    operations = [operations.AddIndexConcurrently({INDEX})]",
        f"    operations = [operations.AddConstraintNotValid({CHECK})]",
        f"    operations = [migrations.CreateModel({TABLE})]",
    ],
)
def test_a_migration_that_locks_nothing_passes(write, body):
    write(body)

    assert lint_migrations.lint(lint_migrations.new_migrations()) == ""
