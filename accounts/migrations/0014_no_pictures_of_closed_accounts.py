from django.core.files.storage import default_storage
from django.db import migrations


def delete_pictures(apps, schema_editor):
    """Deletes the pictures of accounts that were closed before closing deleted them."""
    User = apps.get_model("accounts", "User")
    History = apps.get_model("accounts", "HistoricalUser")
    closed = User.objects.filter(is_active=False)
    for pk, name in closed.values_list("pk", "avatar").iterator():
        earlier = History.objects.filter(id=pk).values_list("avatar", flat=True)
        for picture in {name, *earlier} - {None, ""}:
            default_storage.delete(picture)
    closed.exclude(avatar=None).exclude(avatar="").update(avatar="")


class Migration(migrations.Migration):
    dependencies = [("accounts", "0013_auditseal_checkpoint")]

    operations = [
        migrations.RunPython(delete_pictures, migrations.RunPython.noop, elidable=True),
    ]
