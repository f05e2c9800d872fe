from django.db import migrations

from config.db.length_migrations import validate_length_checks


class Migration(migrations.Migration):

    dependencies = [
        ('patients', '0004_text_lengths'),
    ]

    operations = [
        validate_length_checks(
            'patients',
            'emergencyaccess',
            'emergency_access',
            reason=2000,
        ),
    ]
