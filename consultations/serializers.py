"""Serializers of consultations, vital signs, prescriptions and notes."""

from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers
from rest_framework.reverse import reverse

from appointments.models import Appointment
from appointments.slot_serializers import DoctorField, doctor_or_self
from config.api.fields import VisibleRelatedField
from config.api.serializers import StrictModelSerializer, StrictSerializer
from config.db.text import MAX_CLINICAL_TEXT_LENGTH, MAX_REASON_LENGTH
from consultations.choices import ConsultationStatus
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns
from consultations.output import consultation_output, read_consultation
from patients.serializers import PatientField

TEXT_FIELDS = [
    "chief_complaint",
    "history_of_present_illness",
    "physical_examination",
    "assessment",
    "diagnosis",
    "treatment_plan",
    "follow_up_instructions",
    "follow_up_date",
    "doctor_notes",
]

PARTS = ["vital_signs", "prescriptions", "notes"]

VITAL_SIGNS_EXAMPLE = {
    "id": 5,
    "systolic_bp": 128,
    "diastolic_bp": 82,
    "heart_rate": 71,
    "temperature": 36.7,
    "respiratory_rate": 14,
    "oxygen_saturation": 98,
    "weight": 68.5,
    "height": 171.0,
    "bmi": 23.4,
    "recorded_by": 3,
    "recorded_by_name": "John Smith",
    "recorded_at": "2026-12-07T09:05:00+01:00",
}

PRESCRIPTION_EXAMPLE = {
    "id": 8,
    "medication_name": "Ramipril",
    "dosage": "5 mg",
    "frequency": "once a day",
    "duration": "30 days",
    "instructions": "In the morning, with water.",
    "medication_type": "tablet",
    "quantity": 30,
    "is_active": True,
    "override_reason": "",
    "prescribed_by": 3,
    "prescribed_by_name": "John Smith",
    "created_at": "2026-12-07T09:20:00+01:00",
}

NOTE_EXAMPLE = {
    "id": 9,
    "note_type": "plan",
    "title": "Next steps",
    "content": "Blood pressure diary for two weeks.",
    "is_private": False,
    "created_by": 3,
    "created_by_name": "John Smith",
    "created_at": "2026-12-07T09:25:00+01:00",
}

CONSULTATION_EXAMPLE = {
    "id": 4,
    "appointment": 12,
    "patient": 7,
    "patient_name": "Jane Doe",
    "doctor": 3,
    "doctor_name": "John Smith",
    "status": "in_progress",
    "started_at": "2026-12-07T09:02:00+01:00",
    "ended_at": None,
    "duration_minutes": None,
    "chief_complaint": "Chest pain when climbing stairs",
    "history_of_present_illness": "For two weeks, after exertion.",
    "physical_examination": "Heart sounds normal, no oedema.",
    "assessment": "Probable hypertension.",
    "diagnosis": "Essential hypertension",
    "treatment_plan": "Ramipril 5 mg once a day.",
    "follow_up_instructions": "Come back with the diary.",
    "follow_up_date": "2026-12-21",
    "doctor_notes": "",
    "created_at": "2026-12-07T09:00:00+01:00",
    "updated_at": "2026-12-07T09:02:00+01:00",
}


class VitalSignsSerializer(StrictModelSerializer):
    bmi = serializers.DecimalField(
        max_digits=6, decimal_places=1, read_only=True, allow_null=True, help_text=_("kg/m²")
    )
    recorded_by_name = serializers.CharField(source="recorded_by.full_name", read_only=True)
    example = VITAL_SIGNS_EXAMPLE

    class Meta:
        model = VitalSigns
        fields = list(VITAL_SIGNS_EXAMPLE)
        read_only_fields = ["recorded_by", "recorded_at"]

    def validate(self, attrs):
        if all(value is None for value in attrs.values()):
            raise serializers.ValidationError(_("Give at least one measurement."))
        systolic, diastolic = attrs.get("systolic_bp"), attrs.get("diastolic_bp")
        if systolic is not None and diastolic is not None and diastolic >= systolic:
            raise serializers.ValidationError(
                {"diastolic_bp": [_("The diastolic pressure lies below the systolic.")]}
            )
        return attrs


class PrescriptionSerializer(StrictModelSerializer):
    """A prescription; only `is_active` can change after creation.

    A prescription that is resumed takes an `override_reason`, as a new one does.
    """

    prescribed_by_name = serializers.CharField(source="prescribed_by.full_name", read_only=True)
    immutable_fields = PRESCRIPTION_EXAMPLE.keys() - {"is_active", "override_reason"}
    example = PRESCRIPTION_EXAMPLE

    class Meta:
        model = Prescription
        fields = list(PRESCRIPTION_EXAMPLE)
        read_only_fields = ["prescribed_by", "created_at"]

    def validate(self, attrs):
        reason = attrs.get("override_reason")
        if self.instance is None or reason in (None, self.instance.override_reason):
            return attrs
        if not attrs.get("is_active") or self.instance.is_active:
            sentence = _("Send this only when you resume a prescription, with is_active: true.")
            raise serializers.ValidationError({"override_reason": [sentence]})
        return attrs


class ConsultationNoteSerializer(StrictModelSerializer):
    created_by_name = serializers.CharField(source="created_by.full_name", read_only=True)
    example = NOTE_EXAMPLE

    class Meta:
        model = ConsultationNote
        fields = list(NOTE_EXAMPLE)
        read_only_fields = ["created_by", "created_at"]


class ConsultationSerializer(StrictModelSerializer):
    """A consultation as the caller may see it; patients never see `doctor_notes`."""

    patient_name = serializers.CharField(source="patient.full_name", read_only=True)
    doctor_name = serializers.CharField(source="doctor.full_name", read_only=True)
    status = serializers.ChoiceField(ConsultationStatus.choices, read_only=True)
    duration_minutes = serializers.IntegerField(read_only=True, allow_null=True)
    example = CONSULTATION_EXAMPLE

    class Meta:
        model = Consultation
        fields = list(CONSULTATION_EXAMPLE)
        read_only_fields = [name for name in CONSULTATION_EXAMPLE if name not in TEXT_FIELDS]
        extra_kwargs = {"chief_complaint": {"required": False}}

    @cached_property
    def output(self):
        return consultation_output(self.viewer_role)

    def to_representation(self, consultation):
        return self.output(read_consultation(consultation))


class ConsultationDetailSerializer(ConsultationSerializer):
    """A consultation with its parts. The parts are read-only here: each kind has its own URL."""

    vital_signs = VitalSignsSerializer(many=True, read_only=True)
    prescriptions = PrescriptionSerializer(many=True, read_only=True)
    notes = ConsultationNoteSerializer(many=True, read_only=True)
    more_parts = serializers.ListField(
        child=serializers.URLField(),
        read_only=True,
        help_text=_(
            "Only the newest parts are shown here. These lists have older ones; empty if none has."
        ),
    )
    example = CONSULTATION_EXAMPLE | {
        "vital_signs": [VITAL_SIGNS_EXAMPLE],
        "prescriptions": [PRESCRIPTION_EXAMPLE],
        "notes": [NOTE_EXAMPLE],
        "more_parts": [],
    }

    class Meta(ConsultationSerializer.Meta):
        fields = [*ConsultationSerializer.Meta.fields, *PARTS, "more_parts"]

    def to_representation(self, consultation):
        rows = {name: list(getattr(consultation, name).all()) for name in PARTS}
        parts = {name: self.fields[name].to_representation(rows[name]) for name in PARTS}
        more = [
            self._list_address(name, consultation)
            for name, shown in rows.items()
            if shown and shown[0].number_of_parts > len(shown)
        ]
        return super().to_representation(consultation) | parts | {"more_parts": more}

    def _list_address(self, name, consultation):
        route = f"consultation-{name.replace('_', '-')}-list"
        return reverse(
            route, kwargs={"consultation": consultation.pk}, request=self.context["request"]
        )


@extend_schema_serializer(component_name="Opening")  # the published name
class ConsultationCreateSerializer(StrictSerializer):
    """A new consultation: `appointment`, or `patient` and `chief_complaint` of a walk-in."""

    appointment = VisibleRelatedField(
        queryset=Appointment.objects.with_people(), scope="writable_by", required=False
    )
    patient = PatientField(required=False)
    doctor = DoctorField()
    chief_complaint = serializers.CharField(required=False, max_length=MAX_CLINICAL_TEXT_LENGTH)
    example = {"appointment": 12, "chief_complaint": "Chest pain when climbing stairs"}

    def validate(self, attrs):
        if "appointment" in attrs:
            return self._validate_appointment(attrs)
        errors = {
            name: [_("Give an appointment, or a patient and a chief_complaint.")]
            for name in ("patient", "chief_complaint")
            if name not in attrs
        }
        if errors:
            raise serializers.ValidationError(errors)
        return doctor_or_self(self, attrs)

    def _validate_appointment(self, attrs):
        sentences = {
            "patient": _("The appointment has another patient."),
            "doctor": _("The appointment has another doctor."),
        }
        for name, sentence in sentences.items():
            if name in attrs and attrs[name].pk != getattr(attrs["appointment"], f"{name}_id"):
                raise serializers.ValidationError({name: [sentence]})
        return {name: attrs[name] for name in ("appointment", "chief_complaint") if name in attrs}


class StartSerializer(StrictSerializer):
    """The empty body of start_consultation."""

    example = {}


@extend_schema_serializer(component_name="Reopening")
class ConsultationReopenSerializer(StrictSerializer):
    reason = serializers.CharField(max_length=MAX_REASON_LENGTH)
    example = {"reason": "The dose of the warfarin is wrong."}


@extend_schema_serializer(component_name="Closing")  # the published name
class ConsultationCompleteSerializer(ConsultationSerializer):
    """The fields that complete_consultation may write."""

    example = {
        name: CONSULTATION_EXAMPLE[name]
        for name in ("assessment", "diagnosis", "treatment_plan", "follow_up_date")
    }

    class Meta(ConsultationSerializer.Meta):
        fields = TEXT_FIELDS
        read_only_fields = []
