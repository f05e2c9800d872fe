"""Serializers of appointments, moves, history and statistics.

Every move takes a body of its own and answers the whole appointment.
"""

from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.roles import UserType
from appointments.lifecycle import ACTION_TITLES, MOVE_NAMES, ConsultationType, Priority, Status
from appointments.models import Appointment, AppointmentHistory
from appointments.output import AppointmentRow, appointment_output, row_of
from appointments.slot_serializers import ClinicDateField, TimeSlotField
from config.api.fields import RecordIdField
from config.api.serializers import (
    BaseModelSerializer,
    ResponseOfAnotherSerializer,
    StrictModelSerializer,
    StrictSerializer,
)
from config.db.querysets import hidden_fields
from config.db.text import MAX_CLINICAL_TEXT_LENGTH, MAX_PATIENT_TEXT_LENGTH, MAX_REASON_LENGTH
from patients.serializers import PatientField

read_appointment = row_of(AppointmentRow)

APPOINTMENT_EXAMPLE = {
    "id": 12,
    "patient": 7,
    "patient_name": "Jane Doe",
    "doctor": 3,
    "doctor_name": "John Smith",
    "doctor_specialization": "Cardiology",
    "time_slot": 41,
    "date": "2026-12-07",
    "start_time": "09:00:00",
    "end_time": "09:30:00",
    "starts_at": "2026-12-07T09:00:00+01:00",
    "ends_at": "2026-12-07T09:30:00+01:00",
    "status": "scheduled",
    "consultation_type": "general",
    "priority": "medium",
    "reason_for_visit": "Chest pain when climbing stairs",
    "symptoms": "Shortness of breath",
    "contact_phone": "+49 30 1234567",
    "patient_notes": "",
    "doctor_notes": "",
    "allowed": ["confirm", "cancel", "reschedule"],
    "booked_by": 7,
    "consultation": None,
    "created_at": "2026-11-24T08:30:00+01:00",
    "updated_at": "2026-11-24T08:30:00+01:00",
}


class AppointmentSerializer(StrictModelSerializer):
    """An appointment as the caller may see it; patients never see `doctor_notes`."""

    patient_name = serializers.CharField(source="patient.full_name", read_only=True)
    doctor_name = serializers.CharField(source="doctor.full_name", read_only=True)
    doctor_specialization = serializers.CharField(source="doctor.specialization", read_only=True)
    consultation = RecordIdField(
        source="consultation_pk",
        read_only=True,
        allow_null=True,
        help_text=_("The consultation of the appointment, or null."),
    )
    date = serializers.DateField(read_only=True)
    start_time = serializers.TimeField(read_only=True)
    end_time = serializers.TimeField(read_only=True)
    status = serializers.ChoiceField(
        choices=Status.choices,
        required=False,
        help_text=_("For doctors and admins: makes the move that leads to this status."),
    )
    allowed = serializers.ListField(
        child=serializers.ChoiceField(MOVE_NAMES),
        read_only=True,
        help_text=_("The moves that you can make now."),
    )
    read_only_for = {UserType.PATIENT: {"status"}}
    example = APPOINTMENT_EXAMPLE

    class Meta:
        model = Appointment
        fields = list(APPOINTMENT_EXAMPLE)
        read_only_fields = [
            "patient",
            "doctor",
            "time_slot",
            "starts_at",
            "ends_at",
            "booked_by",
            "created_at",
            "updated_at",
        ]

    @cached_property
    def output(self):
        return appointment_output(self.viewer_role)

    def to_representation(self, appointment):
        return self.output(read_appointment(appointment))


class AppointmentActionSerializer(ResponseOfAnotherSerializer, StrictSerializer):
    """Reads the body of an action; the response is the appointment after the action."""

    response_class = AppointmentSerializer


class BookingSerializer(AppointmentActionSerializer):
    """Patients book for themselves; doctors and admins name the patient."""

    patient = PatientField(required=False)
    time_slot = TimeSlotField()
    consultation_type = serializers.ChoiceField(choices=ConsultationType.choices, required=False)
    priority = serializers.ChoiceField(choices=Priority.choices, required=False)
    reason_for_visit = serializers.CharField(max_length=MAX_PATIENT_TEXT_LENGTH)
    symptoms = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_PATIENT_TEXT_LENGTH
    )
    contact_phone = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=32,
        validators=Appointment._meta.get_field("contact_phone").validators,
    )
    patient_notes = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_PATIENT_TEXT_LENGTH
    )
    doctor_notes = serializers.CharField(
        required=False, allow_blank=True, max_length=MAX_CLINICAL_TEXT_LENGTH
    )
    example = {
        "time_slot": 41,
        "reason_for_visit": "Chest pain when climbing stairs",
        "consultation_type": "general",
        "priority": "medium",
        "symptoms": "Shortness of breath",
        "contact_phone": "+49 30 1234567",
    }

    def get_fields(self):
        fields = super().get_fields()
        if self.context["request"].user.is_authenticated and self._is_patient():
            for name in hidden_fields(Appointment, UserType.PATIENT):
                fields.pop(name, None)
        return fields

    def validate(self, attrs):
        if "patient" not in attrs:
            if not self._is_patient():
                raise serializers.ValidationError(
                    {"patient": [_("Say which patient this is for.")]}
                )
            attrs["patient"] = self.context["request"].user
        return attrs

    def _is_patient(self):
        return self.context["request"].user.user_type == UserType.PATIENT


class MoveSerializer(AppointmentActionSerializer):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=MAX_REASON_LENGTH)
    example: dict[str, object] = {"reason": "The patient called."}


class RescheduleSerializer(MoveSerializer):
    time_slot = TimeSlotField()
    example = {"time_slot": 42, "reason": "The patient asked for a later time."}


class ReopenSerializer(AppointmentActionSerializer):
    reason = serializers.CharField(max_length=MAX_REASON_LENGTH)
    example = {"reason": "Completed by mistake: the patient is still waiting."}


HISTORY_EXAMPLE = {
    "id": 30,
    "action": "confirm",
    "from_status": "scheduled",
    "to_status": "confirmed",
    "from_starts_at": "2026-12-07T09:00:00+01:00",
    "to_starts_at": "2026-12-07T09:00:00+01:00",
    "changes": [],
    "reason": "",
    "changed_by": 3,
    "changed_by_name": "John Smith",
    "created_at": "2026-11-24T09:00:00+01:00",
}


@extend_schema_serializer(component_name="AppointmentHistory")
class HistorySerializer(BaseModelSerializer):
    action = serializers.ChoiceField(list(ACTION_TITLES), read_only=True)
    from_status = serializers.ChoiceField(Status.choices, allow_blank=True, read_only=True)
    to_status = serializers.ChoiceField(Status.choices, read_only=True)
    changed_by_name = serializers.CharField(source="changed_by.full_name", read_only=True)
    changes = serializers.SerializerMethodField(
        help_text=_("Names of the fields, never their values.")
    )
    example = HISTORY_EXAMPLE

    class Meta:
        model = AppointmentHistory
        fields = list(HISTORY_EXAMPLE)
        read_only_fields = fields

    def get_changes(self, entry) -> list[str]:
        """Return the changed fields without those hidden from the caller."""
        hidden = hidden_fields(Appointment, self.context["request"].user.role)
        return [name for name in entry.changes if name not in hidden]


class PeriodSerializer(serializers.Serializer):
    date_after = ClinicDateField(required=False)
    date_before = ClinicDateField(required=False)


class BusiestTimeSerializer(serializers.Serializer):
    start_time = serializers.TimeField()
    count = serializers.IntegerField()


class CountsByStatusSerializer(serializers.Serializer):
    def get_fields(self):
        return {status.value: serializers.IntegerField() for status in Status}


@extend_schema_serializer(many=False)
class StatisticsSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    by_status = CountsByStatusSerializer()
    today = serializers.IntegerField()
    upcoming = serializers.IntegerField()
    this_month = serializers.IntegerField()
    last_month = serializers.IntegerField()
    completion_rate = serializers.FloatField(allow_null=True)
    no_show_rate = serializers.FloatField(allow_null=True)
    busiest_times = BusiestTimeSerializer(many=True)
    example = {
        "total": 48,
        "by_status": {
            "scheduled": 6,
            "confirmed": 9,
            "in_progress": 1,
            "completed": 25,
            "cancelled": 5,
            "no_show": 2,
        },
        "today": 4,
        "upcoming": 15,
        "this_month": 22,
        "last_month": 18,
        "completion_rate": 0.7813,
        "no_show_rate": 0.0741,
        "busiest_times": [{"start_time": "09:00:00", "count": 11}],
    }
