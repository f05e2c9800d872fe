"""The serializers of accounts. They validate single fields; rules are in services."""

from typing import Any

from django.contrib.auth.validators import ASCIIUsernameValidator
from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import (
    PolymorphicProxySerializer,
)
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

from accounts import avatars
from accounts.models import User
from accounts.output import user_output
from accounts.passwords import MAX_PASSWORD_LENGTH
from accounts.roles import UserType
from config.api.serializers import StrictModelSerializer

USER_FIELDS = [
    "id",
    "username",
    "email",
    "first_name",
    "last_name",
    "full_name",
    "user_type",
    "phone",
    "date_of_birth",
    "gender",
    "address",
    "avatar",
    "email_verified",
    "pending_email",
    "created_at",
    "updated_at",
]
LICENCE_FIELDS = ["medical_license_number", "specialization"]
DOCTOR_FIELDS = [*LICENCE_FIELDS, "license_verified"]
OWN_PATIENT_FIELDS = [
    "medical_history",
    "allergies",
    "emergency_contact",
    "emergency_contact_phone",
    "emergency_contact_relation",
]
PATIENT_FIELDS = ["contact_email", *OWN_PATIENT_FIELDS]

PERSON_EXAMPLE = {
    "id": 7,
    "username": "jane",
    "email": "jane@example.com",
    "first_name": "Jane",
    "last_name": "Doe",
    "full_name": "Jane Doe",
    "user_type": "patient",
    "phone": "+49 30 1234567",
    "date_of_birth": "1990-04-12",
    "gender": "female",
    "address": "1 Main Street, Springfield",
    "avatar": None,
    "email_verified": True,
    "pending_email": "",
    "created_at": "2026-11-02T08:30:00+01:00",
    "updated_at": "2026-11-02T08:30:00+01:00",
}
DOCTOR_EXAMPLE = PERSON_EXAMPLE | {
    "id": 3,
    "username": "doctor1",
    "email": "doctor@example.com",
    "first_name": "John",
    "last_name": "Smith",
    "full_name": "John Smith",
    "user_type": "doctor",
    "gender": "male",
    "medical_license_number": "MD123456",
    "specialization": "Cardiology",
    "license_verified": True,
}
PATIENT_EXAMPLE = PERSON_EXAMPLE | {
    "contact_email": "",
    "medical_history": "Asthma since childhood",
    "allergies": "Penicillin, peanuts",
    "emergency_contact": "Max Doe",
    "emergency_contact_phone": "+49 30 7654321",
    "emergency_contact_relation": "brother",
}


def required(*names):
    """Return `extra_kwargs` for fields that may be neither missing nor blank."""
    return {name: {"required": True, "allow_blank": False} for name in names}


# A person may have one name only: the service refuses two blank ones.
NAMES: dict[str, Any] = {
    name: {"required": True, "allow_blank": True} for name in ("first_name", "last_name")
}


class PasswordField(serializers.CharField):
    """A write-only password; its maximum length limits the cost of hashing."""

    def __init__(self, **kwargs):
        style = {"input_type": "password"}
        options: dict[str, Any] = {"write_only": True, "trim_whitespace": False, "style": style}
        super().__init__(**options | kwargs, max_length=MAX_PASSWORD_LENGTH)


class AvatarField(serializers.ImageField):
    """A picture in a multipart form; null deletes the picture, and its own URL keeps it."""

    def run_validation(self, data=serializers.empty):
        current = getattr(self.parent.instance, "avatar", None)
        if isinstance(data, str) and current and data == self.to_representation(current):
            raise serializers.SkipField
        return super().run_validation(data)

    def to_internal_value(self, data):
        if not hasattr(data, "read"):
            self.fail("invalid")
        try:
            return avatars.reencode(data)
        except DjangoValidationError as error:
            raise serializers.ValidationError(error.messages) from error


class ProfileSerializer(StrictModelSerializer):
    """The user's own profile; subclasses add the fields of a role."""

    full_name = serializers.CharField(read_only=True)
    avatar = AvatarField(required=False, allow_null=True)
    pending_email = serializers.CharField(
        read_only=True,
        help_text=_("The new address, until the link in the e-mail to it is followed, or empty."),
    )
    current_password = PasswordField(
        required=False, help_text=_("Required to change the e-mail address.")
    )
    example = PERSON_EXAMPLE | {"user_type": "admin"}

    class Meta:
        model = User
        fields = [*USER_FIELDS, "current_password"]
        read_only_fields = ["username", "user_type", "license_verified", "email_verified",
                            "pending_email", "created_at", "updated_at"]  # fmt: skip

    def to_representation(self, user):
        names = [name for name in self.Meta.fields if name != "current_password"]
        return user_output(names, self.context.get("request"))(user)


class PatientProfileSerializer(ProfileSerializer):
    read_only_for = {UserType.PATIENT: {"contact_email"}}  # nobody has proven this address
    example = PATIENT_EXAMPLE

    class Meta(ProfileSerializer.Meta):
        fields = [*USER_FIELDS, *PATIENT_FIELDS, "current_password"]
        extra_kwargs = required("email") | NAMES


class DoctorProfileSerializer(ProfileSerializer):
    example = DOCTOR_EXAMPLE

    class Meta(ProfileSerializer.Meta):
        fields = [*USER_FIELDS, *DOCTOR_FIELDS, "current_password"]
        extra_kwargs = required("email", *LICENCE_FIELDS) | NAMES


PROFILES: dict[str, type[ProfileSerializer]] = {
    UserType.PATIENT: PatientProfileSerializer,
    UserType.DOCTOR: DoctorProfileSerializer,
    UserType.ADMIN: ProfileSerializer,
}


OwnProfile = PolymorphicProxySerializer(
    component_name="OwnProfile",
    serializers={kind.value: serializer for kind, serializer in PROFILES.items()},
    resource_type_field_name="user_type",
)


class RegistrationSerializer(StrictModelSerializer):
    """The registration of a doctor or patient; the response is the profile."""

    password = PasswordField()
    user_type = serializers.ChoiceField(choices=[UserType.DOCTOR, UserType.PATIENT])
    example = {
        "username": "doctor1",
        "email": "doctor@example.com",
        "password": "securepassword",
        "first_name": "Dr. John",
        "last_name": "Smith",
        "user_type": "doctor",
        "medical_license_number": "MD123456",
        "specialization": "Cardiology",
    }

    class Meta:
        model = User
        fields = ["username", "email", "password", "user_type", "first_name", "last_name",
                  "phone", "date_of_birth", "gender", "address",
                  *LICENCE_FIELDS, *OWN_PATIENT_FIELDS]  # fmt: skip
        extra_kwargs = required("username", "email") | NAMES
        extra_kwargs["username"]["validators"] = [ASCIIUsernameValidator()]  # unique: the service

    def validate(self, attrs):
        user_type = attrs["user_type"]
        foreign = OWN_PATIENT_FIELDS if user_type == UserType.DOCTOR else LICENCE_FIELDS
        sentence = _("An account of this type does not have this field.")
        errors: dict[str, Any] = {name: [sentence] for name in foreign if name in attrs}
        if user_type == UserType.DOCTOR:
            errors |= {
                name: [ErrorDetail(str(_("This field is required for a doctor.")), code="required")]
                for name in LICENCE_FIELDS
                if not attrs.get(name)
            }
        if errors:
            raise serializers.ValidationError(errors)
        return attrs

    def to_representation(self, user):
        return PROFILES[user.user_type](user, context=self.context).data
