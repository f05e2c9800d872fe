from django.db import migrations
from django.db.models import Exists, Max, OuterRef, Subquery

BATCH = 5_000


def copy_last_moves(apps, schema_editor):
    """Copy status and time of each appointment's last move from the history, in batches.

    The booking, which has no status before it, and changes of details are no moves.
    """
    appointments = apps.get_model('appointments', 'Appointment').objects
    history = apps.get_model('appointments', 'AppointmentHistory').objects
    moves = history.filter(appointment=OuterRef('pk')).exclude(action__in=['book', 'updated'])
    last = moves.order_by('-pk')
    newest = appointments.aggregate(newest=Max('pk'))['newest'] or 0
    for first in range(0, newest + 1, BATCH):
        batch = appointments.filter(pk__gte=first, pk__lt=first + BATCH, status_changed_at=None)
        batch.filter(Exists(moves)).update(
            previous_status=Subquery(last.values('from_status')[:1]),
            status_changed_at=Subquery(last.values('created_at')[:1]),
        )


class Migration(migrations.Migration):
    atomic = False  # each batch is a transaction of its own

    dependencies = [
        ('appointments', '0009_last_move'),
    ]

    operations = [
        migrations.RunPython(copy_last_moves, migrations.RunPython.noop),
    ]
