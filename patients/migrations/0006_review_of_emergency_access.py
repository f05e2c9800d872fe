import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import accounts.validators
import config.db.text
from config.db.operations import AddConstraintNotValid, AddForeignKeyNotValid


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0014_no_pictures_of_closed_accounts"),
        ("patients", "0005_validate_text_lengths"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="emergencyaccess",
            name="outcome",
            field=models.CharField(
                blank=True,
                choices=[("justified", "Justified"), ("unjustified", "Not justified")],
                db_default="",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="emergencyaccess",
            name="reviewed_at",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        AddForeignKeyNotValid(
            "emergencyaccess",
            "reviewed_by",
            models.ForeignKey(
                blank=True,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="reviewed_accesses",
                to=settings.AUTH_USER_MODEL,
            ),
            "emergency_reviewed_by_user",
        ),
        migrations.AlterField(
            model_name="emergencyaccess",
            name="reason",
            field=config.db.text.BoundedTextField(
                max_length=2000,
                validators=[
                    django.core.validators.MinLengthValidator(10),
                    accounts.validators.MinVisibleLength(10),
                ],
            ),
        ),
        AddConstraintNotValid(
            "emergencyaccess",
            models.CheckConstraint(
                condition=models.Q(
                    models.Q(("outcome", ""), ("reviewed_at", None), ("reviewed_by", None)),
                    models.Q(
                        ("reviewed_at__isnull", False),
                        ("reviewed_by__isnull", False),
                        models.Q(("outcome", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="emergency_review_is_complete",
            ),
        ),
    ]
