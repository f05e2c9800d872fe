from django.contrib.auth.validators import ASCIIUsernameValidator
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from accounts.models import Action, AuditEvent
from accounts.roles import Gender
from accounts.serializers import (
    PATIENT_EXAMPLE,
    PasswordField,
    PatientProfileSerializer,
    required,
)
from config.api.fields import VisibleRelatedField
from config.api.filters import MAX_SEARCH_LENGTH
from config.api.serializers import StrictModelSerializer, StrictSerializer
from patients.models import EmergencyAccess, Patient

DETAIL_ONLY_FIELDS = ("address", "medical_history", "allergies", "avatar", "pending_email")


class PatientField(VisibleRelatedField):
    """A patient whom a body names."""

    default_error_messages = {
        "does_not_exist": _("There is no such patient, or the record is closed. Search again.")
    }

    def __init__(self, **kwargs):
        super().__init__(**{"queryset": Patient.objects.all()} | kwargs)


class PatientSerializer(PatientProfileSerializer):
    """A patient's record. Patients who change their own e-mail address send `current_password`."""

    class Meta(PatientProfileSerializer.Meta):
        model = Patient
        extra_kwargs = required("first_name", "last_name")


class PatientListSerializer(PatientSerializer):
    example = {
        name: value for name, value in PATIENT_EXAMPLE.items() if name not in DETAIL_ONLY_FIELDS
    }
    avatar = None  # type: ignore[assignment]  # DRF's way to remove a field
    current_password = None  # type: ignore[assignment]

    class Meta(PatientSerializer.Meta):
        fields = [
            name
            for name in PatientSerializer.Meta.fields
            if name not in (*DETAIL_ONLY_FIELDS, "current_password")
        ]


class PatientSearchSerializer(StrictSerializer):
    """The parameters of the list in a body, so that no name is in an address."""

    search = serializers.CharField(required=False, allow_blank=True, max_length=MAX_SEARCH_LENGTH)
    gender = serializers.ChoiceField(choices=Gender.choices, required=False)
    date_of_birth = serializers.DateField(required=False)
    date_of_birth_after = serializers.DateField(required=False)
    date_of_birth_before = serializers.DateField(required=False)
    ordering = serializers.CharField(required=False, max_length=100)
    example = {"search": "jane doe", "date_of_birth": "1990-04-12"}


class PatientRegistrationSerializer(StrictModelSerializer):
    """A patient whom the clinic registers; the response is the whole record."""

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
        fields = ["username", "password", "email", "contact_email", "first_name", "last_name",
                  "phone",
                  "date_of_birth", "gender", "address", "medical_history", "allergies",
                  "emergency_contact", "emergency_contact_phone",
                  "emergency_contact_relation"]  # fmt: skip
        extra_kwargs = required("first_name", "last_name") | {
            "username": {"required": False, "validators": [ASCIIUsernameValidator()]}
        }

    def to_representation(self, patient):
        return PatientSerializer(patient, context=self.context).data


ACCESS_EXAMPLE = {
    "at": "2026-11-24T08:30:00+01:00",
    "actor": 3,
    "actor_name": "John Smith",
    "role": "doctor",
    "action": "read",
    "kinds": ["consultation"],
}


class AccessLogSerializer(StrictModelSerializer):
    """One access to a record: who, when and to what kinds of data, never to which rows."""

    actor_name = serializers.CharField(read_only=True, allow_null=True)
    action = serializers.SerializerMethodField()
    kinds = serializers.SerializerMethodField()
    example = ACCESS_EXAMPLE

    class Meta:
        model = AuditEvent
        fields = read_only_fields = list(ACCESS_EXAMPLE)

    def get_action(self, event) -> str:
        return Action(event.action).name.lower()  # not the label, which is translated

    def get_kinds(self, event) -> list[str]:
        return sorted({reference.partition("/")[0] for reference in event.records})


EMERGENCY_EXAMPLE = {
    "id": 5,
    "patient": 7,
    "doctor": 3,
    "doctor_name": "John Smith",
    "reason": "Unconscious in the emergency room",
    "created_at": "2026-11-24T08:30:00+01:00",
    "expires_at": "2026-11-24T09:30:00+01:00",
}


class EmergencyAccessSerializer(StrictModelSerializer):
    """One emergency access. The patient and the admins can read the reason."""

    doctor_name = serializers.CharField(source="doctor.full_name", read_only=True)
    example = EMERGENCY_EXAMPLE

    class Meta:
        model = EmergencyAccess
        fields = list(EMERGENCY_EXAMPLE)
        read_only_fields = ["patient", "doctor", "created_at", "expires_at"]
