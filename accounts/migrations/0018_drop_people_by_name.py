"""Drops the index by names as they are written, which no list reads any more."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("accounts", "0017_fill_search_text")]

    operations = [migrations.RemoveIndex(model_name="user", name="people_by_name")]
