from django.db import migrations

from config.db.length_migrations import validate_length_checks


class Migration(migrations.Migration):

    dependencies = [
        ('consultations', '0005_text_lengths'),
    ]

    operations = [
        validate_length_checks(
            'consultations',
            'consultation',
            'consultation',
            chief_complaint=50000,
            history_of_present_illness=50000,
            physical_examination=50000,
            assessment=50000,
            diagnosis=50000,
            treatment_plan=50000,
            follow_up_instructions=50000,
            doctor_notes=50000,
        ),
        validate_length_checks(
            'consultations',
            'prescription',
            'prescription',
            medication_name=200,
            dosage=100,
            frequency=100,
            duration=100,
            instructions=50000,
            override_reason=2000,
        ),
        validate_length_checks(
            'consultations',
            'consultationnote',
            'consultation_note',
            title=200,
            content=50000,
        ),
    ]
