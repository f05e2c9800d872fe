from django.db import migrations
from django.db.models import Max

from config.db.length_migrations import validate_length_checks

BATCH = 5_000


def note_stages(apps, schema_editor):
    """Note at each appointment how far its consultation has come, in batches."""
    appointments = apps.get_model('appointments', 'Appointment').objects
    consultations = apps.get_model('consultations', 'Consultation').objects
    ended = consultations.exclude(ended_at=None)
    started = consultations.filter(ended_at=None).exclude(started_at=None)
    newest = appointments.aggregate(newest=Max('pk'))['newest'] or 0
    for first in range(0, newest + 1, BATCH):
        batch = {'appointment__gte': first, 'appointment__lt': first + BATCH}
        for stage, rows in (('completed', ended), ('started', started)):
            those = rows.filter(**batch).values('appointment')
            appointments.filter(pk__in=those).update(consultation_stage=stage)


class Migration(migrations.Migration):
    atomic = False  # each batch is a transaction of its own

    dependencies = [
        ('appointments', '0010_fill_last_move'),
        ('consultations', '0007_reopen_reason'),
    ]

    operations = [
        validate_length_checks('consultations', 'consultation', 'consultation', reopen_reason=2000),
        migrations.RunPython(note_stages, migrations.RunPython.noop),
    ]
