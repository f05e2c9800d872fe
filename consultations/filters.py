import django_filters

from appointments.filters import ClinicDayFilter
from config.api.filters import IdFilter
from consultations.choices import ConsultationStatus
from consultations.models import Consultation


class ConsultationFilter(ClinicDayFilter):
    """The date filters select by the day the consultation took place or was to take place."""

    status = django_filters.ChoiceFilter(choices=ConsultationStatus.choices, method="by_status")
    patient = IdFilter(field_name="patient")
    doctor = IdFilter(field_name="doctor")

    datetime_field = "took_place_at"

    class Meta:
        model = Consultation
        fields = []

    def from_day(self, rows, name, value):
        return super().from_day(rows.with_day(), name, value)

    def until_day(self, rows, name, value):
        return super().until_day(rows.with_day(), name, value)

    def by_status(self, rows, name, value: str):
        return rows.with_status(value)
