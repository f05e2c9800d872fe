from django.db import migrations

from config.db.operations import ValidateConstraint


class Migration(migrations.Migration):
    dependencies = [("patients", "0006_review_of_emergency_access")]

    operations = [
        ValidateConstraint("emergencyaccess", "emergency_reviewed_by_user"),
        ValidateConstraint("emergencyaccess", "emergency_review_is_complete"),
    ]
