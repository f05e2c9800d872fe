import django_filters

from appointments import clock
from appointments.lifecycle import ConsultationType, Priority, Status
from appointments.models import Appointment, TimeSlot
from config.api.filters import DateFilter, IdFilter


class ClinicDayFilter(django_filters.FilterSet):
    """Filters `datetime_field` by days in the clinic's time zone, both ends included."""

    date = DateFilter(method="on_day")
    date_after = DateFilter(method="from_day")
    date_before = DateFilter(method="until_day")

    datetime_field = "starts_at"

    def on_day(self, rows, name, value):
        return self.until_day(self.from_day(rows, name, value), name, value)

    def from_day(self, rows, name, value):
        return rows.filter(**{f"{self.datetime_field}__gte": clock.start_of_day(value)})

    def until_day(self, rows, name, value):
        return rows.filter(**{f"{self.datetime_field}__lt": clock.day_bounds(value)[1]})


class TimeSlotFilter(ClinicDayFilter):
    doctor = IdFilter(field_name="doctor")
    specialization = django_filters.CharFilter(
        field_name="doctor__specialization", lookup_expr="iexact"
    )
    available = django_filters.ChoiceFilter(
        choices=[("true", "true"), ("false", "false")], method="by_availability"
    )

    class Meta:
        model = TimeSlot
        fields = []

    def by_availability(self, slots, name, value):
        return slots.filter(is_available=value == "true")


class AppointmentFilter(ClinicDayFilter):
    status = django_filters.ChoiceFilter(choices=Status.choices)
    doctor = IdFilter(field_name="doctor")
    patient = IdFilter(field_name="patient")
    consultation_type = django_filters.ChoiceFilter(choices=ConsultationType.choices)
    priority = django_filters.ChoiceFilter(choices=Priority.choices)

    class Meta:
        model = Appointment
        fields = []


class DoctorFilter(django_filters.FilterSet):
    specialization = django_filters.CharFilter(lookup_expr="iexact")
