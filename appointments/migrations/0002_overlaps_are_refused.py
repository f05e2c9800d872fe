from django.db import migrations

from appointments import overlap_constraints


def install(apps, schema_editor):
    overlap_constraints.install(schema_editor.connection)


def remove(apps, schema_editor):
    overlap_constraints.remove(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("appointments", "0001_initial")]

    operations = [migrations.RunPython(install, remove)]
