import django_filters

from accounts.models import Doctor
from appointments import clock
from appointments.lifecycle import ConsultationType, Priority, Status
from appointments.models import Appointment, TimeSlot
from config.api.filters import CharFilter, ChoiceFilter, DateFilter, IdFilter


class ClinicDayFilter(DateFilter):
    """Compares an instant with the bounds of a day in the clinic's time zone.

    `bounds` names the lookups of the day's first instant and of the next day's first instant.
    """

    def __init__(self, *args, bounds, **kwargs):
        super().__init__(*args, **kwargs)
        self.bounds = bounds

    def arguments(self, value):
        bounds = dict(zip(("gte", "lt"), clock.day_bounds(value), strict=True))
        return tuple(bounds[lookup] for lookup in self.bounds)

    def narrow(self, rows, variant, *arguments):
        limits = zip(self.bounds, arguments, strict=True)
        return rows.filter(**{f"{self.field_name}__{lookup}": limit for lookup, limit in limits})


class AvailableFilter(ChoiceFilter):
    """Free slots, or the others."""

    def variant(self, value):
        return value == "true"

    def arguments(self, value):
        return ()

    def narrow(self, rows, variant):
        return rows.filter(is_available=variant)


class TimeSlotFilter(django_filters.FilterSet):
    date = ClinicDayFilter("starts_at", bounds=("gte", "lt"))
    date_after = ClinicDayFilter("starts_at", bounds=("gte",))
    date_before = ClinicDayFilter("starts_at", bounds=("lt",))
    doctor = IdFilter("doctor")
    specialization = CharFilter("doctor__specialization", "iexact")
    available = AvailableFilter(choices=[("true", "true"), ("false", "false")])

    class Meta:
        model = TimeSlot
        fields = []


class AppointmentFilter(django_filters.FilterSet):
    date = ClinicDayFilter("starts_at", bounds=("gte", "lt"))
    date_after = ClinicDayFilter("starts_at", bounds=("gte",))
    date_before = ClinicDayFilter("starts_at", bounds=("lt",))
    status = ChoiceFilter("status", choices=Status.choices)
    doctor = IdFilter("doctor")
    patient = IdFilter("patient")
    consultation_type = ChoiceFilter("consultation_type", choices=ConsultationType.choices)
    priority = ChoiceFilter("priority", choices=Priority.choices)

    class Meta:
        model = Appointment
        fields = []


class DoctorFilter(django_filters.FilterSet):
    specialization = CharFilter("specialization", "iexact")

    class Meta:
        model = Doctor
        fields = []
