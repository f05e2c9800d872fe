"""Checks that new migrations do not lock a table that people use.

    DATABASE_URL=postgres://... python -m verification.lint_migrations

Each migration that EXEMPT does not name is rendered as PostgreSQL's SQL (`sqlmigrate`) and read by
squawk. The exit status is 1 if squawk finds an error. Write indexes with `AddIndexConcurrently` in
a migration with `atomic = False`; add constraints with `AddConstraintNotValid` and
`ValidateConstraint` in two migrations (all from `config.db.operations`).
"""

import os
import subprocess
import sys
import sysconfig
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import django
from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

ROOT = Path(__file__).resolve().parents[1]
SQUAWK = Path(sysconfig.get_path("scripts")) / "squawk"
POSTGRESQL_VERSION = "15.0"

# The migrations that existed before this check; no clinic was open while they were applied.
EXEMPT = {
    "accounts": {
        "0001_initial",
        "0002_idempotency_keys",
        "0003_version",
        "0004_what_a_key_made",
        "0005_own_sessions",
        "0006_login_counter",
        "0007_audit",
        "0008_lists_by_index",
        "0009_as_the_clinic_grows",
    },
    "patients": {"0001_initial", "0002_emergency_access", "0003_lists_by_index"},
    "appointments": {
        "0001_initial",
        "0002_overlaps_are_refused",
        "0003_version",
        "0004_lists_by_index",
        "0005_as_the_clinic_grows",
        "0006_free_slots_by_index",
    },
    "consultations": {
        "0001_initial",
        "0002_version",
        "0003_lists_by_index",
        "0004_as_the_clinic_grows",
    },
}

# Rules about style, not about locks: Django decides the column types and the form of statements.
STYLE_RULES = [
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "require-timeout-settings",  # the server's settings bound each statement
]


def new_migrations():
    """(app, name) of each migration of the product's apps that is not exempt."""
    own = {app.label for app in apps.get_app_configs() if Path(app.path).parent == ROOT}
    names = MigrationLoader(connection).disk_migrations
    return sorted(
        (app, name) for app, name in names if app in own and name not in EXEMPT.get(app, ())
    )


def lint(migrations):
    """Return the output of squawk, empty if squawk finds nothing."""
    with TemporaryDirectory() as folder:
        for app, name in migrations:
            sql = StringIO()
            call_command("sqlmigrate", app, name, stdout=sql, no_color=True)
            Path(folder, f"{app}_{name}.sql").write_text(sql.getvalue())
        files = sorted(Path(folder).iterdir())
        if not files:
            return ""
        squawk = subprocess.run(  # noqa: S603
            [
                SQUAWK,
                f"--pg-version={POSTGRESQL_VERSION}",
                f"--exclude={','.join(STYLE_RULES)}",
                "--reporter=gcc",
                *files,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
    return (squawk.stdout + squawk.stderr) if squawk.returncode else ""


def main():
    if connection.vendor != "postgresql":
        raise SystemExit("Set DATABASE_URL to a PostgreSQL database: the SQL depends on it.")
    migrations = new_migrations()
    problems = lint(migrations)
    print(problems or f"{len(migrations)} new migrations, none of which locks a table.")
    return 1 if problems else 0


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    sys.exit(main())
