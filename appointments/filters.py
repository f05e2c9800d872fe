import django_filters
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field

from accounts.models import Doctor
from appointments import clock
from appointments.lifecycle import ConsultationType, Priority, Status
from appointments.models import Appointment, TimeSlot
from config.api.filters import CharFilter, ChoiceFilter, ChoicesFilter, DateFilter, IdsFilter


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


@extend_schema_field(bool)
class AvailableFilter(ChoiceFilter):
    """Free slots, or the others."""

    def variant(self, value):
        return value == "true"

    def arguments(self, value):
        return ()

    def narrow(self, rows, variant):
        return rows.filter(is_available=variant)


class TimeSlotFilter(django_filters.FilterSet):
    date = ClinicDayFilter("starts_at", bounds=("gte", "lt"), label=_("Date"))
    date_after = ClinicDayFilter("starts_at", bounds=("gte",), label=_("Date from"))
    date_before = ClinicDayFilter("starts_at", bounds=("lt",), label=_("Date to"))
    doctor = IdsFilter("doctor", label=_("Doctor"))
    specialization = CharFilter("doctor__specialization", "iexact", label=_("Specialization"))
    available = AvailableFilter(
        choices=[("true", "true"), ("false", "false")], label=_("Available")
    )

    class Meta:
        model = TimeSlot
        fields = []


class AppointmentFilter(django_filters.FilterSet):
    date = ClinicDayFilter("starts_at", bounds=("gte", "lt"), label=_("Date"))
    date_after = ClinicDayFilter("starts_at", bounds=("gte",), label=_("Date from"))
    date_before = ClinicDayFilter("starts_at", bounds=("lt",), label=_("Date to"))
    status = ChoicesFilter("status", choices=Status.choices, label=_("Status"))
    doctor = IdsFilter("doctor", label=_("Doctor"))
    patient = IdsFilter("patient", label=_("Patient"))
    consultation_type = ChoicesFilter(
        "consultation_type", choices=ConsultationType.choices, label=_("Consultation type")
    )
    priority = ChoicesFilter("priority", choices=Priority.choices, label=_("Priority"))

    class Meta:
        model = Appointment
        fields = []


class OverviewFilter(django_filters.FilterSet):
    """The filters of the appointments of today and of the upcoming ones."""

    status = ChoicesFilter("status", choices=Status.choices, label=_("Status"))
    doctor = IdsFilter("doctor", label=_("Doctor"))
    patient = IdsFilter("patient", label=_("Patient"))

    class Meta:
        model = Appointment
        fields = []


class DoctorFilter(django_filters.FilterSet):
    specialization = CharFilter("specialization", "iexact", label=_("Specialization"))

    class Meta:
        model = Doctor
        fields = []
