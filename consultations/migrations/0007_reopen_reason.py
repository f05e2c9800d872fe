import config.db.text

from django.db import migrations

from config.db.length_migrations import add_length_checks


class Migration(migrations.Migration):

    dependencies = [
        ('consultations', '0006_validate_text_lengths'),
    ]

    operations = [
        migrations.AddField(
            model_name='consultation',
            name='reopen_reason',
            field=config.db.text.BoundedTextField(blank=True, db_default='', default='', editable=False, help_text='Why it was last reopened after it was completed.', max_length=2000),
        ),
        migrations.AddField(
            model_name='historicalconsultation',
            name='reopen_reason',
            field=config.db.text.BoundedTextField(blank=True, db_default='', default='', editable=False, help_text='Why it was last reopened after it was completed.', max_length=2000),
        ),
        *add_length_checks('consultations', 'consultation', 'consultation', reopen_reason=2000),
    ]
