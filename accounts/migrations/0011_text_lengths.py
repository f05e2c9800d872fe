import config.db.text

from django.db import migrations

from config.db.length_migrations import add_length_checks


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0010_letters_and_proven_addresses'),
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        # The columns keep their types.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='historicaluser',
                    name='address',
                    field=config.db.text.LineField(blank=True, max_length=500),
                ),
                migrations.AlterField(
                    model_name='historicaluser',
                    name='allergies',
                    field=config.db.text.BoundedTextField(blank=True, help_text='One entry each, separated by commas, semicolons or lines.', max_length=10000),
                ),
                migrations.AlterField(
                    model_name='historicaluser',
                    name='emergency_contact',
                    field=config.db.text.LineField(blank=True, max_length=150),
                ),
                migrations.AlterField(
                    model_name='historicaluser',
                    name='emergency_contact_relation',
                    field=config.db.text.LineField(blank=True, max_length=50),
                ),
                migrations.AlterField(
                    model_name='historicaluser',
                    name='first_name',
                    field=config.db.text.LineField(blank=True, max_length=150, verbose_name='first name'),
                ),
                migrations.AlterField(
                    model_name='historicaluser',
                    name='last_name',
                    field=config.db.text.LineField(blank=True, max_length=150, verbose_name='last name'),
                ),
                migrations.AlterField(
                    model_name='historicaluser',
                    name='medical_history',
                    field=config.db.text.BoundedTextField(blank=True, max_length=10000),
                ),
                migrations.AlterField(
                    model_name='historicaluser',
                    name='medical_license_number',
                    field=config.db.text.LineField(blank=True, max_length=50),
                ),
                migrations.AlterField(
                    model_name='historicaluser',
                    name='specialization',
                    field=config.db.text.LineField(blank=True, max_length=100),
                ),
                migrations.AlterField(
                    model_name='user',
                    name='address',
                    field=config.db.text.LineField(blank=True, max_length=500),
                ),
                migrations.AlterField(
                    model_name='user',
                    name='allergies',
                    field=config.db.text.BoundedTextField(blank=True, help_text='One entry each, separated by commas, semicolons or lines.', max_length=10000),
                ),
                migrations.AlterField(
                    model_name='user',
                    name='emergency_contact',
                    field=config.db.text.LineField(blank=True, max_length=150),
                ),
                migrations.AlterField(
                    model_name='user',
                    name='emergency_contact_relation',
                    field=config.db.text.LineField(blank=True, max_length=50),
                ),
                migrations.AlterField(
                    model_name='user',
                    name='first_name',
                    field=config.db.text.LineField(blank=True, max_length=150, verbose_name='first name'),
                ),
                migrations.AlterField(
                    model_name='user',
                    name='last_name',
                    field=config.db.text.LineField(blank=True, max_length=150, verbose_name='last name'),
                ),
                migrations.AlterField(
                    model_name='user',
                    name='medical_history',
                    field=config.db.text.BoundedTextField(blank=True, max_length=10000),
                ),
                migrations.AlterField(
                    model_name='user',
                    name='medical_license_number',
                    field=config.db.text.LineField(blank=True, max_length=50),
                ),
                migrations.AlterField(
                    model_name='user',
                    name='specialization',
                    field=config.db.text.LineField(blank=True, max_length=100),
                ),
            ],
        ),
        *add_length_checks(
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
        *add_length_checks(
            'accounts',
            'session',
            'session',
            user_agent=200,
        ),
        *add_length_checks(
            'accounts',
            'idempotencykey',
            'idempotency_key',
            key=255,
        ),
    ]
