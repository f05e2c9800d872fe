"""One shape out for each thing; a small body in for each step."""

from datetime import timedelta

from rest_framework import serializers

from accounts.doors import VisibleRelatedField
from accounts.models import Doctor
from accounts.roles import UserType
from appointments import clock
from appointments.lifecycle import ConsultationType, Priority, Status, open_moves
from appointments.models import Appointment, AppointmentHistory, TimeSlot, with_next_available
from appointments.slots import MOST_DAYS, Plan
from config.api.filters import EARLIEST, LATEST
from config.api.serializers import StrictModelSerializer, StrictSerializer
from patients.models import Patient

MOST_AVAILABILITY_DAYS = 31

SLOT_EXAMPLE = {
    "id": 41,
    "doctor": 3,
    "doctor_name": "John Smith",
    "doctor_specialization": "Cardiology",
    "date": "2026-12-07",
    "start_time": "09:00:00",
    "end_time": "09:30:00",
    "starts_at": "2026-12-07T09:00:00+01:00",
    "ends_at": "2026-12-07T09:30:00+01:00",
    "duration_minutes": 30,
    "is_available": True,
}


class ClinicDateField(serializers.DateField):
    """A day of the clinic's calendar, within what any time zone can hold."""

    def to_internal_value(self, value):
        date = super().to_internal_value(value)
        if not EARLIEST <= date <= LATEST:
            raise serializers.ValidationError(f"Enter a date between {EARLIEST} and {LATEST}.")
        return date


class DoctorField(VisibleRelatedField):
    """The doctor a body acts for: an admin names one, a doctor is himself."""

    def __init__(self, **kwargs):
        super().__init__(
            **{"queryset": Doctor.objects.all(), "scope": "writable_by", "required": False} | kwargs
        )


def doctor_or_self(serializer, attrs):
    """`attrs` with the doctor the body acts for; an admin has to name one."""
    user = serializer.context["request"].user
    if "doctor" not in attrs:
        if user.user_type != UserType.DOCTOR:
            raise serializers.ValidationError({"doctor": ["Say which doctor this is for."]})
        attrs["doctor"] = Doctor.objects.get(pk=user.pk)
    return attrs


class TimeSlotSerializer(StrictModelSerializer):
    doctor = DoctorField()
    doctor_name = serializers.CharField(source="doctor.full_name", read_only=True)
    doctor_specialization = serializers.CharField(source="doctor.specialization", read_only=True)
    date = ClinicDateField()
    start_time = serializers.TimeField()
    end_time = serializers.TimeField()
    duration_minutes = serializers.IntegerField(read_only=True)
    is_available = serializers.BooleanField(read_only=True)
    example = SLOT_EXAMPLE

    class Meta:
        model = TimeSlot
        fields = list(SLOT_EXAMPLE)
        read_only_fields = ["starts_at", "ends_at"]

    def get_fields(self):
        fields = super().get_fields()
        if self.instance is not None:
            fields["doctor"].read_only = True
        return fields

    def validate(self, attrs):
        return doctor_or_self(self, attrs) if self.instance is None else attrs


class BulkSlotsSerializer(StrictSerializer):
    """The slots of one day (`date`) or of the chosen weekdays from `date_from` to `date_to`."""

    doctor = DoctorField()
    date = ClinicDateField(required=False)
    date_from = ClinicDateField(required=False)
    date_to = ClinicDateField(required=False)
    weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=6),
        required=False,
        allow_empty=False,
        max_length=7,
        help_text="Monday is 0; every day unless given.",
    )
    start_time = serializers.TimeField()
    end_time = serializers.TimeField()
    slot_duration = serializers.IntegerField(min_value=5, max_value=24 * 60, help_text="Minutes.")
    break_minutes = serializers.IntegerField(
        min_value=0, max_value=24 * 60, required=False, help_text="Minutes between two slots."
    )
    example = {
        "date_from": "2026-12-07",
        "date_to": "2026-12-18",
        "weekdays": [0, 2, 4],
        "start_time": "09:00:00",
        "end_time": "12:00:00",
        "slot_duration": 30,
        "break_minutes": 0,
    }

    def validate(self, attrs):
        errors = {}
        if attrs["end_time"] <= attrs["start_time"]:
            errors["end_time"] = ["It must be after start_time."]
        if "date" in attrs:
            errors |= {
                name: ["Give either date, or date_from and date_to."]
                for name in ("date_from", "date_to", "weekdays")
                if name in attrs
            }
        else:
            errors |= {
                name: ["This field is required."]
                for name in ("date_from", "date_to")
                if name not in attrs
            }
        if not errors and "date" not in attrs:
            beyond = (attrs["date_to"] - attrs["date_from"]).days
            if beyond < 0:
                errors["date_to"] = ["It must not be before date_from."]
            elif beyond >= MOST_DAYS:
                errors["date_to"] = [f"Choose at most {MOST_DAYS} days."]
        if errors:
            raise serializers.ValidationError(errors)
        return doctor_or_self(self, attrs)

    def plan(self):
        """What the valid body asks for, as services take it."""
        asked = self.validated_data
        first = asked.get("date") or asked["date_from"]
        last = asked.get("date") or asked["date_to"]
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        weekdays = asked.get("weekdays", range(7))
        return Plan(
            dates=[day for day in days if day.weekday() in weekdays],
            start_time=asked["start_time"],
            end_time=asked["end_time"],
            duration=timedelta(minutes=asked["slot_duration"]),
            pause=timedelta(minutes=asked.get("break_minutes", 0)),
        )


class SkippedSlotSerializer(serializers.Serializer):
    date = serializers.DateField()
    start_time = serializers.TimeField()
    reason = serializers.ChoiceField(choices=["slot_in_past", "slot_overlap", "nonexistent_time"])


class BulkSlotsAnswerSerializer(serializers.Serializer):
    created = TimeSlotSerializer(many=True)
    skipped = SkippedSlotSerializer(many=True)
    example = {
        "created": [SLOT_EXAMPLE],
        "skipped": [{"date": "2026-12-07", "start_time": "09:30:00", "reason": "slot_overlap"}],
    }


class DoctorSerializer(serializers.ModelSerializer):
    """A doctor as everybody sees him."""

    full_name = serializers.CharField(read_only=True)
    next_available = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When the next free slot starts."
    )
    example = {
        "id": 3,
        "full_name": "John Smith",
        "specialization": "Cardiology",
        "avatar": None,
        "next_available": "2026-12-07T09:00:00+01:00",
    }

    class Meta:
        model = Doctor
        fields = ["id", "full_name", "specialization", "avatar", "next_available"]
        read_only_fields = fields


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
    "allowed": ["confirm", "start", "complete", "cancel", "reschedule"],
    "booked_by": 7,
    "created_at": "2026-11-24T08:30:00+01:00",
    "updated_at": "2026-11-24T08:30:00+01:00",
}


class AppointmentSerializer(StrictModelSerializer):
    """An appointment as its reader sees it: `doctor_notes` never goes to the patient."""

    patient_name = serializers.CharField(source="patient.full_name", read_only=True)
    doctor_name = serializers.CharField(source="doctor.full_name", read_only=True)
    doctor_specialization = serializers.CharField(source="doctor.specialization", read_only=True)
    date = serializers.DateField(read_only=True)
    start_time = serializers.TimeField(read_only=True)
    end_time = serializers.TimeField(read_only=True)
    status = serializers.ChoiceField(
        choices=Status.choices,
        required=False,
        help_text="For doctors and admins: runs the move that leads there.",
    )
    allowed = serializers.SerializerMethodField(help_text="The moves open to you now.")
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

    def get_fields(self):
        fields = super().get_fields()
        if self.reader_role == UserType.PATIENT:
            del fields["doctor_notes"]
            fields["status"].read_only = True
        return fields

    @property
    def reader_role(self):
        request = self.context.get("request")
        return getattr(getattr(request, "user", None), "role", None)

    def get_allowed(self, appointment) -> list[str]:
        return open_moves(
            status=appointment.status,
            role=self.reader_role,
            starts_at=appointment.starts_at,
            now=clock.now(),
        )


class StepSerializer(StrictSerializer):
    """What a step asks for going in; the appointment it leaves coming out."""

    def to_representation(self, appointment):
        return AppointmentSerializer(appointment, context=self.context).data


class BookingSerializer(StepSerializer):
    """A patient books for himself; doctors (into their own slots) and admins name the patient."""

    patient = VisibleRelatedField(queryset=Patient.objects.all(), required=False)
    time_slot = VisibleRelatedField(queryset=TimeSlot.objects.all())
    consultation_type = serializers.ChoiceField(choices=ConsultationType.choices, required=False)
    priority = serializers.ChoiceField(choices=Priority.choices, required=False)
    reason_for_visit = serializers.CharField()
    symptoms = serializers.CharField(required=False, allow_blank=True)
    contact_phone = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=32,
        validators=Appointment._meta.get_field("contact_phone").validators,
    )
    patient_notes = serializers.CharField(required=False, allow_blank=True)
    doctor_notes = serializers.CharField(required=False, allow_blank=True)
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
            del fields["doctor_notes"]
        return fields

    def validate(self, attrs):
        if "patient" not in attrs:
            if not self._is_patient():
                raise serializers.ValidationError({"patient": ["Say which patient this is for."]})
            attrs["patient"] = self.context["request"].user
        return attrs

    def _is_patient(self):
        return self.context["request"].user.user_type == UserType.PATIENT


class MoveSerializer(StepSerializer):
    reason = serializers.CharField(required=False, allow_blank=True, max_length=2000)
    example = {"reason": "The patient called."}


class RescheduleSerializer(MoveSerializer):
    time_slot = VisibleRelatedField(queryset=TimeSlot.objects.all())
    example = {"time_slot": 42, "reason": "The patient asked for a later time."}


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


class HistorySerializer(serializers.ModelSerializer):
    changed_by_name = serializers.CharField(source="changed_by.full_name", read_only=True)
    changes = serializers.SerializerMethodField(help_text="Names of fields, never their values.")
    example = HISTORY_EXAMPLE

    class Meta:
        model = AppointmentHistory
        fields = list(HISTORY_EXAMPLE)
        read_only_fields = fields

    def get_changes(self, entry) -> list[str]:
        """A patient is not told that there are notes he may not read."""
        if self.context["request"].user.user_type == UserType.PATIENT:
            return [name for name in entry.changes if name != "doctor_notes"]
        return entry.changes


class AvailableDoctorField(VisibleRelatedField):
    """A doctor in sight, with `next_available`."""

    def get_queryset(self):
        return with_next_available(super().get_queryset())


class AvailabilityQuerySerializer(serializers.Serializer):
    """Which doctor and days: `date`, or `date_after` and `date_before`, at most 31 days."""

    doctor = AvailableDoctorField(queryset=Doctor.objects.all())
    date = ClinicDateField(required=False)
    date_after = ClinicDateField(required=False)
    date_before = ClinicDateField(required=False)

    def validate(self, attrs):
        """Adds the days asked for as `date_after` and `date_before`."""
        if "date" in attrs:
            for name in ("date_after", "date_before"):
                if name in attrs:
                    raise serializers.ValidationError(
                        {name: ["Give either date, or date_after and date_before."]}
                    )
            first = last = attrs["date"]
        else:
            first = attrs.get("date_after") or attrs.get("date_before") or clock.today()
            last = attrs.get("date_before") or first
        if not 0 <= (last - first).days < MOST_AVAILABILITY_DAYS:
            raise serializers.ValidationError(
                {"date_before": [f"Choose 1 to {MOST_AVAILABILITY_DAYS} days."]}
            )
        return {"doctor": attrs["doctor"], "date_after": first, "date_before": last}


class AvailableDoctorSerializer(serializers.ModelSerializer):
    full_name = serializers.CharField(read_only=True)

    class Meta:
        model = Doctor
        fields = ["id", "full_name", "specialization"]
        read_only_fields = fields


class AvailabilitySerializer(serializers.Serializer):
    doctor = AvailableDoctorSerializer()
    date_after = serializers.DateField()
    date_before = serializers.DateField()
    slots = TimeSlotSerializer(many=True)
    next_available = serializers.DateTimeField(source="doctor.next_available", allow_null=True)
    example = {
        "doctor": {"id": 3, "full_name": "John Smith", "specialization": "Cardiology"},
        "date_after": "2026-12-07",
        "date_before": "2026-12-07",
        "slots": [SLOT_EXAMPLE],
        "next_available": "2026-12-07T09:00:00+01:00",
    }


class PeriodSerializer(serializers.Serializer):
    date_after = ClinicDateField(required=False)
    date_before = ClinicDateField(required=False)


class BusiestTimeSerializer(serializers.Serializer):
    start_time = serializers.TimeField()
    count = serializers.IntegerField()


class StatisticsSerializer(serializers.Serializer):
    total = serializers.IntegerField()
    by_status = serializers.DictField(child=serializers.IntegerField())
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
