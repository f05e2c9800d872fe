"""Drops the index by names as they are written, which no list reads any more."""

from django.db import migrations

from config.db.operations import RemoveIndexConcurrently


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0017_fill_search_text")]

    operations = [RemoveIndexConcurrently(model_name="user", name="people_by_name")]
