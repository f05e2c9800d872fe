import config.db.text

from django.db import migrations

from config.db.length_migrations import add_length_checks


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_text_lengths'),
        ('appointments', '0006_free_slots_by_index'),
        ('patients', '0004_text_lengths'),
    ]

    operations = [
        # The columns keep their types.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='appointment',
                    name='doctor_notes',
                    field=config.db.text.BoundedTextField(blank=True, help_text='Never shown to the patient.', max_length=50000),
                ),
                migrations.AlterField(
                    model_name='appointment',
                    name='patient_notes',
                    field=config.db.text.BoundedTextField(blank=True, max_length=10000),
                ),
                migrations.AlterField(
                    model_name='appointment',
                    name='reason_for_visit',
                    field=config.db.text.BoundedTextField(max_length=10000),
                ),
                migrations.AlterField(
                    model_name='appointment',
                    name='symptoms',
                    field=config.db.text.BoundedTextField(blank=True, max_length=10000),
                ),
                migrations.AlterField(
                    model_name='appointmenthistory',
                    name='reason',
                    field=config.db.text.BoundedTextField(blank=True, max_length=2000),
                ),
            ],
        ),
        *add_length_checks(
            'appointments',
            'appointment',
            'appointment',
            reason_for_visit=10000,
            symptoms=10000,
            contact_phone=32,
            patient_notes=10000,
            doctor_notes=50000,
        ),
        *add_length_checks(
            'appointments',
            'appointmenthistory',
            'appointment_history',
            reason=2000,
        ),
    ]
