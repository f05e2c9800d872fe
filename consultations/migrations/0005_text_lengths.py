import config.db.text

from django.db import migrations

from config.db.length_migrations import add_length_checks


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_text_lengths'),
        ('appointments', '0007_text_lengths'),
        ('consultations', '0004_as_the_clinic_grows'),
        ('patients', '0004_text_lengths'),
    ]

    operations = [
        # The columns keep their types.
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.AlterField(
                    model_name='consultation',
                    name='assessment',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='consultation',
                    name='chief_complaint',
                    field=config.db.text.BoundedTextField(max_length=50000),
                ),
                migrations.AlterField(
                    model_name='consultation',
                    name='diagnosis',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='consultation',
                    name='doctor_notes',
                    field=config.db.text.BoundedTextField(blank=True, help_text='Never shown to the patient.', max_length=50000),
                ),
                migrations.AlterField(
                    model_name='consultation',
                    name='follow_up_instructions',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='consultation',
                    name='history_of_present_illness',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='consultation',
                    name='physical_examination',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='consultation',
                    name='treatment_plan',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='consultationnote',
                    name='content',
                    field=config.db.text.BoundedTextField(max_length=50000),
                ),
                migrations.AlterField(
                    model_name='consultationnote',
                    name='title',
                    field=config.db.text.LineField(blank=True, max_length=200),
                ),
                migrations.AlterField(
                    model_name='historicalconsultation',
                    name='assessment',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='historicalconsultation',
                    name='chief_complaint',
                    field=config.db.text.BoundedTextField(max_length=50000),
                ),
                migrations.AlterField(
                    model_name='historicalconsultation',
                    name='diagnosis',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='historicalconsultation',
                    name='doctor_notes',
                    field=config.db.text.BoundedTextField(blank=True, help_text='Never shown to the patient.', max_length=50000),
                ),
                migrations.AlterField(
                    model_name='historicalconsultation',
                    name='follow_up_instructions',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='historicalconsultation',
                    name='history_of_present_illness',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='historicalconsultation',
                    name='physical_examination',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='historicalconsultation',
                    name='treatment_plan',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='historicalconsultationnote',
                    name='content',
                    field=config.db.text.BoundedTextField(max_length=50000),
                ),
                migrations.AlterField(
                    model_name='historicalconsultationnote',
                    name='title',
                    field=config.db.text.LineField(blank=True, max_length=200),
                ),
                migrations.AlterField(
                    model_name='historicalprescription',
                    name='dosage',
                    field=config.db.text.LineField(max_length=100),
                ),
                migrations.AlterField(
                    model_name='historicalprescription',
                    name='duration',
                    field=config.db.text.LineField(max_length=100),
                ),
                migrations.AlterField(
                    model_name='historicalprescription',
                    name='frequency',
                    field=config.db.text.LineField(max_length=100),
                ),
                migrations.AlterField(
                    model_name='historicalprescription',
                    name='instructions',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='historicalprescription',
                    name='medication_name',
                    field=config.db.text.LineField(max_length=200),
                ),
                migrations.AlterField(
                    model_name='historicalprescription',
                    name='override_reason',
                    field=config.db.text.BoundedTextField(blank=True, help_text='Why it was prescribed against a listed allergy.', max_length=2000),
                ),
                migrations.AlterField(
                    model_name='prescription',
                    name='dosage',
                    field=config.db.text.LineField(max_length=100),
                ),
                migrations.AlterField(
                    model_name='prescription',
                    name='duration',
                    field=config.db.text.LineField(max_length=100),
                ),
                migrations.AlterField(
                    model_name='prescription',
                    name='frequency',
                    field=config.db.text.LineField(max_length=100),
                ),
                migrations.AlterField(
                    model_name='prescription',
                    name='instructions',
                    field=config.db.text.BoundedTextField(blank=True, max_length=50000),
                ),
                migrations.AlterField(
                    model_name='prescription',
                    name='medication_name',
                    field=config.db.text.LineField(max_length=200),
                ),
                migrations.AlterField(
                    model_name='prescription',
                    name='override_reason',
                    field=config.db.text.BoundedTextField(blank=True, help_text='Why it was prescribed against a listed allergy.', max_length=2000),
                ),
            ],
        ),
        *add_length_checks(
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
        *add_length_checks(
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
        *add_length_checks(
            'consultations',
            'consultationnote',
            'consultation_note',
            title=200,
            content=50000,
        ),
    ]
