"""Serializers of time slots, bulk slots, doctors and availability."""

from datetime import timedelta

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from accounts.models import Doctor
from accounts.roles import UserType
from appointments import booking_rules, clock
from appointments.booking_rules import BookingWindow
from appointments.models import TimeSlot
from appointments.output import DoctorRow, TimeSlotRow, doctor_output, row_of, time_slot_output
from appointments.prepared_queries import find_visible_slot
from appointments.slot_services import MAX_DAYS, SKIP_REASONS, SlotPlan
from config.api.fields import (
    VisibleRelatedField,
    is_canonical,
    is_in_calendar,
    out_of_calendar_error,
)
from config.api.serializers import BaseModelSerializer, StrictModelSerializer, StrictSerializer

MAX_AVAILABILITY_DAYS = 31

read_time_slot, read_doctor = row_of(TimeSlotRow), row_of(DoctorRow)

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
    """A day of the clinic's calendar, between fields.EARLIEST and fields.LATEST.

    Outside these dates a conversion between time zones overflows.
    """

    def to_internal_value(self, value):
        if not is_canonical(value):
            self.fail("invalid", format="YYYY-MM-DD")
        date = super().to_internal_value(value)
        if not is_in_calendar(date):
            raise out_of_calendar_error()
        return date


class TimeSlotField(VisibleRelatedField):
    """A slot that the caller sees, found by a prepared query."""

    default_error_messages = {
        "does_not_exist": _(
            "This time slot is not available: it was withdrawn, or its doctor takes no "
            "appointments at present. Choose another one."
        )
    }

    def __init__(self, **kwargs):
        super().__init__(**{"queryset": TimeSlot.objects.all()} | kwargs)

    def find(self, pk):
        return find_visible_slot(self.context["request"].user, pk)


class DoctorField(VisibleRelatedField):
    """The doctor for whom a request acts: admins name one, doctors act for themselves."""

    default_error_messages = {
        "does_not_exist": _("There is no such doctor, or you may not act for this one.")
    }

    def __init__(self, **kwargs):
        super().__init__(
            **{"queryset": Doctor.objects.all(), "scope": "writable_by", "required": False} | kwargs
        )


def doctor_or_self(serializer, attrs):
    """Return `attrs` with the doctor for whom the request acts; admins must name one."""
    user = serializer.context["request"].user
    if "doctor" not in attrs:
        if user.user_type != UserType.DOCTOR:
            raise serializers.ValidationError({"doctor": [_("Say which doctor this is for.")]})
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
    immutable_fields = {"doctor"}
    example = SLOT_EXAMPLE

    class Meta:
        model = TimeSlot
        fields = list(SLOT_EXAMPLE)
        read_only_fields = ["starts_at", "ends_at"]

    def validate(self, attrs):
        return doctor_or_self(self, attrs) if self.instance is None else attrs

    def to_representation(self, slot):
        return slot if isinstance(slot, dict) else time_slot_output(read_time_slot(slot))


class BulkSlotsSerializer(StrictSerializer):
    """Slots of one day (`date`), or of the chosen weekdays from `date_from` to `date_to`."""

    doctor = DoctorField()
    date = ClinicDateField(required=False)
    date_from = ClinicDateField(required=False)
    date_to = ClinicDateField(required=False)
    weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=6),
        required=False,
        allow_empty=False,
        max_length=7,
        help_text=_("Monday is 0. Every day unless given."),
    )
    start_time = serializers.TimeField()
    end_time = serializers.TimeField()
    slot_duration = serializers.IntegerField(
        min_value=5, max_value=24 * 60, help_text=_("Minutes.")
    )
    break_minutes = serializers.IntegerField(
        min_value=0, max_value=24 * 60, required=False, help_text=_("Minutes between two slots.")
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
        errors: dict[str, list] = {}
        if attrs["end_time"] <= attrs["start_time"]:
            errors["end_time"] = [_("The end time must be after the start time.")]
        if "date" in attrs:
            errors |= {
                name: [_("Give either date, or date_from and date_to.")]
                for name in ("date_from", "date_to", "weekdays")
                if name in attrs
            }
        else:
            errors |= {
                name: [_("This field is required.")]
                for name in ("date_from", "date_to")
                if name not in attrs
            }
        if not errors and "date" not in attrs:
            days_between = (attrs["date_to"] - attrs["date_from"]).days
            if days_between < 0:
                errors["date_to"] = [_("The last day must not be before the first.")]
            elif days_between >= MAX_DAYS:
                errors["date_to"] = [_("Choose at most %(days)s days.") % {"days": MAX_DAYS}]
        if errors:
            raise serializers.ValidationError(errors)
        return doctor_or_self(self, attrs)

    def plan(self):
        """Return the validated data as a SlotPlan."""
        data = self.validated_data
        first = data.get("date") or data["date_from"]
        last = data.get("date") or data["date_to"]
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        weekdays = data.get("weekdays", range(7))
        return SlotPlan(
            dates=[day for day in days if day.weekday() in weekdays],
            start_time=data["start_time"],
            end_time=data["end_time"],
            duration=timedelta(minutes=data["slot_duration"]),
            pause=timedelta(minutes=data.get("break_minutes", 0)),
        )


class SkippedSlotSerializer(serializers.Serializer):
    date = serializers.DateField()
    start_time = serializers.TimeField()
    reason = serializers.ChoiceField(choices=SKIP_REASONS)


@extend_schema_serializer(component_name="BulkSlotsAnswer")  # the published name
class BulkSlotsResponseSerializer(serializers.Serializer):
    created = TimeSlotSerializer(many=True)
    skipped = SkippedSlotSerializer(many=True)
    example = {
        "created": [SLOT_EXAMPLE],
        "skipped": [{"date": "2026-12-07", "start_time": "09:30:00", "reason": "slot_overlap"}],
    }


class DoctorSerializer(BaseModelSerializer):
    """A doctor as every signed-in user sees them."""

    full_name = serializers.CharField(read_only=True)
    next_available = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text=_("The start of the next free slot.")
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

    def to_representation(self, doctor):
        return doctor_output(self.context["request"])(read_doctor(doctor))


class AvailableDoctorField(VisibleRelatedField):
    """A doctor whom the caller sees, with `next_available`."""

    default_error_messages = {
        "does_not_exist": _("This doctor takes no appointments at present. Choose another one.")
    }

    def get_queryset(self):
        doctors = super().get_queryset()
        window = BookingWindow.of(self.context["request"].user)
        return booking_rules.with_next_available(doctors, window)


class AvailabilityQuerySerializer(serializers.Serializer):
    """The doctor, and `date` or `date_after` and `date_before`: at most 31 days, default today."""

    doctor = AvailableDoctorField(queryset=Doctor.objects.all())
    date = ClinicDateField(required=False)
    date_after = ClinicDateField(required=False)
    date_before = ClinicDateField(required=False)

    def validate(self, attrs):
        """Return the doctor, and the first and last day as `date_after` and `date_before`."""
        if "date" in attrs:
            for name in ("date_after", "date_before"):
                if name in attrs:
                    raise serializers.ValidationError(
                        {name: [_("Give either date, or date_after and date_before.")]}
                    )
            first = last = attrs["date"]
        else:
            first = attrs.get("date_after") or attrs.get("date_before") or clock.today()
            last = attrs.get("date_before") or first
        if not 0 <= (last - first).days < MAX_AVAILABILITY_DAYS:
            sentence = _("Choose 1 to %(days)s days.") % {"days": MAX_AVAILABILITY_DAYS}
            raise serializers.ValidationError({"date_before": [sentence]})
        return {"doctor": attrs["doctor"], "date_after": first, "date_before": last}


class AvailableDoctorSerializer(BaseModelSerializer):
    full_name = serializers.CharField(read_only=True)

    class Meta:
        model = Doctor
        fields = ["id", "full_name", "specialization"]
        read_only_fields = fields


@extend_schema_serializer(many=False)
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
