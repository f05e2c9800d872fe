from django.db import migrations

from config.db.length_migrations import validate_length_checks


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_text_lengths'),
    ]

    operations = [
        validate_length_checks(
            'accounts',
            'user',
            'user',
            username=150,
            first_name=150,
            last_name=150,
            email=254,
            pending_email=254,
            contact_email=254,
            phone=32,
            address=500,
            medical_license_number=50,
            specialization=100,
            medical_history=10000,
            allergies=10000,
            emergency_contact=150,
            emergency_contact_phone=32,
            emergency_contact_relation=50,
        ),
        validate_length_checks(
            'accounts',
            'session',
            'session',
            user_agent=200,
        ),
        validate_length_checks(
            'accounts',
            'idempotencykey',
            'idempotency_key',
            key=255,
        ),
    ]
