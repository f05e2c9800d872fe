import config.db.text
import django.core.validators

from django.db import migrations

from config.db.length_migrations import add_length_checks


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_text_lengths'),
        ('patients', '0003_lists_by_index'),
    ]

    operations = [
        # The columns keep their types.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='emergencyaccess',
                    name='reason',
                    field=config.db.text.BoundedTextField(max_length=2000, validators=[django.core.validators.MinLengthValidator(10)]),
                ),
            ],
        ),
        *add_length_checks(
            'patients',
            'emergencyaccess',
            'emergency_access',
            reason=2000,
        ),
    ]
