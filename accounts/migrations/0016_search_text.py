"""Adds the columns by which people are searched and sorted, and fills them."""

from django.db import migrations, models

COLUMNS = {"search_text": 1500, "sort_last_name": 150, "sort_first_name": 150}


class Migration(migrations.Migration):
    dependencies = [("accounts", "0015_one_time_passwords")]

    operations = [
        migrations.AddField(
            model_name="user",
            name=name,
            field=models.CharField(db_default="", default="", editable=False, max_length=length),
        )
        for name, length in COLUMNS.items()
    ]
