from django.contrib.auth.validators import ASCIIUsernameValidator
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field, extend_schema_serializer
from rest_framework import serializers

from accounts.models import Action, AuditEvent
from accounts.roles import UNVERIFIED, Gender, UserType
from accounts.serializers import (
    PATIENT_EXAMPLE,
    PasswordField,
    PatientProfileSerializer,
)
from config.api.fields import VisibleRelatedField
from config.api.filters import MAX_SEARCH_LENGTH
from config.api.serializers import (
    ResponseOfAnotherSerializer,
    StrictModelSerializer,
    StrictSerializer,
)
from config.clinical_records import clinical_records
from patients.models import EmergencyAccess, Patient

DETAIL_ONLY_FIELDS = ("address", "medical_history", "allergies", "avatar", "pending_email")


class PatientField(VisibleRelatedField):
    """A patient whom a body names."""

    default_error_messages = {
        "does_not_exist": _("There is no such patient, or the record is closed. Search again.")
    }

    def __init__(self, **kwargs):
        super().__init__(**{"queryset": Patient.objects.all()} | kwargs)


class OneNameMixin:
    """Requires a first name or a last name in a body that is not a partial one."""

    def validate(self, attrs):
        attrs = super().validate(attrs)
        if not (self.partial or attrs.get("first_name") or attrs.get("last_name")):
            sentence = _("Enter a first name or a last name.")
            raise serializers.ValidationError({"first_name": [sentence], "last_name": [sentence]})
        return attrs


class PatientSerializer(OneNameMixin, PatientProfileSerializer):
    """A patient's record. Patients who change their own e-mail address send `current_password`."""

    display = serializers.CharField(
        read_only=True, help_text=_("Tells apart patients who have the same name.")
    )
    example = PATIENT_EXAMPLE | {"display": "Jane Doe, born April 12, 1990, no. 7"}

    class Meta(PatientProfileSerializer.Meta):
        model = Patient
        fields = [*PatientProfileSerializer.Meta.fields, "display"]
        extra_kwargs = {}


@extend_schema_serializer(component_name="PatientSummary")
class PatientListSerializer(PatientSerializer):
    example = {
        name: value
        for name, value in PatientSerializer.example.items()
        if name not in DETAIL_ONLY_FIELDS
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


class PatientRegistrationSerializer(
    OneNameMixin, ResponseOfAnotherSerializer, StrictModelSerializer
):
    """A patient whom the clinic registers; the response is the whole record."""

    response_class = PatientSerializer
    password = PasswordField(required=False)
    confirm_new = serializers.BooleanField(
        required=False,
        write_only=True,
        help_text=_("Registers the patient although the name and date of birth exist already."),
    )
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
                  "emergency_contact_relation", "confirm_new"]  # fmt: skip
        extra_kwargs = {"username": {"required": False, "validators": [ASCIIUsernameValidator()]}}


class KindsField(serializers.ListField):
    """The kinds of clinical records, by the names of their models."""

    def __init__(self, **kwargs):
        kinds = [record.model._meta.model_name for record in clinical_records()]
        super().__init__(child=serializers.ChoiceField(kinds), **kwargs)


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
    role = serializers.ChoiceField([*UserType, UNVERIFIED], allow_blank=True, read_only=True)
    action = serializers.SerializerMethodField()
    kinds = serializers.SerializerMethodField()
    example = ACCESS_EXAMPLE

    class Meta:
        model = AuditEvent
        fields = read_only_fields = list(ACCESS_EXAMPLE)

    @extend_schema_field(serializers.ChoiceField([action.name.lower() for action in Action]))
    def get_action(self, event):
        return Action(event.action).name.lower()  # not the label, which is translated

    @extend_schema_field(KindsField)
    def get_kinds(self, event):
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
