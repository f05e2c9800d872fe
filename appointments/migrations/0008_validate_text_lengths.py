from django.db import migrations

from config.db.length_migrations import validate_length_checks


class Migration(migrations.Migration):

    dependencies = [
        ('appointments', '0007_text_lengths'),
    ]

    operations = [
        validate_length_checks(
            'appointments',
            'appointment',
            'appointment',
            reason_for_visit=10000,
            symptoms=10000,
            contact_phone=32,
            patient_notes=10000,
            doctor_notes=50000,
        ),
        validate_length_checks(
            'appointments',
            'appointmenthistory',
            'appointment_history',
            reason=2000,
        ),
    ]
