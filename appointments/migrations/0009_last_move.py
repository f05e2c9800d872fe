from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('appointments', '0008_validate_text_lengths'),
    ]

    operations = [
        migrations.AddField(
            model_name='appointment',
            name='consultation_stage',
            field=models.CharField(blank=True, choices=[('', 'Not started'), ('started', 'Started'), ('completed', 'Completed')], db_default='', default='', editable=False, max_length=20),
        ),
        migrations.AddField(
            model_name='appointment',
            name='previous_status',
            field=models.CharField(blank=True, choices=[('scheduled', 'Scheduled'), ('confirmed', 'Confirmed'), ('in_progress', 'In progress'), ('completed', 'Completed'), ('cancelled', 'Cancelled'), ('no_show', 'No-show')], db_default='', default='', editable=False, max_length=20),
        ),
        migrations.AddField(
            model_name='appointment',
            name='status_changed_at',
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
