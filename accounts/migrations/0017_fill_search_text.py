"""Fills the columns of the search in batches, and creates their indexes."""

import logging

from django.db import IntegrityError, migrations, models, transaction

from accounts.models.searchable import SEARCH_COLUMNS, SEARCHED_FIELDS, search_columns
from config.db.operations import AddIndexConcurrently

BATCH = 1_000

logger = logging.getLogger(__name__)


def fill(apps, schema_editor):
    people = apps.get_model("accounts", "User").objects.using(schema_editor.connection.alias)
    last = 0
    while rows := list(people.filter(pk__gt=last).order_by("pk").only("pk", *SEARCHED_FIELDS)[:BATCH]):
        for row in rows:
            for name, text in search_columns(row).items():
                setattr(row, name, text)
        try:
            with transaction.atomic(using=schema_editor.connection.alias):
                people.bulk_update(rows, SEARCH_COLUMNS)
        except IntegrityError:  # a row with a text from before the limits cannot be changed
            fill_one_by_one(people, rows)
        last = rows[-1].pk


def fill_one_by_one(people, rows):
    for row in rows:
        try:
            with transaction.atomic(using=people.db):
                people.bulk_update([row], SEARCH_COLUMNS)
        except IntegrityError:
            logger.warning(
                "Account %d is not found by name before its texts are shortened.", row.pk
            )


def create_trigram_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS people_by_search_text"
            " ON accounts_user USING gin (search_text gin_trgm_ops)"
        )
        schema_editor.execute("DROP INDEX CONCURRENTLY IF EXISTS people_by_words")


def restore_word_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        columns = ", ".join(
            f"UPPER({name}::text) gin_trgm_ops"
            for name in ("first_name", "last_name", "email", "phone")
        )
        schema_editor.execute(
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS people_by_words ON accounts_user USING gin ({columns})"
        )
        schema_editor.execute("DROP INDEX CONCURRENTLY IF EXISTS people_by_search_text")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0016_search_text")]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
        AddIndexConcurrently(
            model_name="user",
            index=models.Index(
                fields=["user_type", "sort_last_name", "sort_first_name", "id", "is_active"],
                name="people_by_sort_name",
            ),
        ),
        migrations.RunPython(create_trigram_index, restore_word_index),
        migrations.AlterModelOptions(
            name="user", options={"ordering": ["sort_last_name", "sort_first_name", "pk"]}
        ),
    ]
