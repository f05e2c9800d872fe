from accounts.serializers import (
    PATIENT_EXAMPLE,
    PasswordField,
    PatientProfileSerializer,
    required,
)
from config.api.serializers import StrictModelSerializer
from patients.models import Patient

NOT_IN_LISTS = ("address", "medical_history", "allergies", "avatar")


class PatientSerializer(PatientProfileSerializer):
    """The record. Also what its own patient edits, with the password for a new e-mail address."""

    class Meta(PatientProfileSerializer.Meta):
        model = Patient
        extra_kwargs = required("first_name", "last_name")


class PatientListSerializer(PatientSerializer):
    example = {name: value for name, value in PATIENT_EXAMPLE.items() if name not in NOT_IN_LISTS}
    avatar = current_password = None

    class Meta(PatientSerializer.Meta):
        fields = [
            name
            for name in PatientSerializer.Meta.fields
            if name not in (*NOT_IN_LISTS, "current_password")
        ]


class PatientRegistrationSerializer(StrictModelSerializer):
    """A patient entered at the desk; the answer is the record."""

    password = PasswordField(required=False)
    example = {
        "first_name": "Jane",
        "last_name": "Doe",
        "email": "jane@example.com",
        "phone": "+49 30 1234567",
        "date_of_birth": "1990-04-12",
        "gender": "female",
        "allergies": "Penicillin, peanuts",
    }

    class Meta:
        model = Patient
        fields = ["username", "password", "email", "first_name", "last_name", "phone",
                  "date_of_birth", "gender", "address", "medical_history", "allergies",
                  "emergency_contact", "emergency_contact_phone",
                  "emergency_contact_relation"]  # fmt: skip
        extra_kwargs = required("first_name", "last_name") | {"username": {"required": False}}

    def to_representation(self, patient):
        return PatientSerializer(patient, context=self.context).data
