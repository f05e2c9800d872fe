import django_filters
from django.utils.translation import gettext_lazy as _

from appointments.filters import ClinicDayFilter
from config.api.filters import ChoicesFilter, IdsFilter
from consultations.choices import ConsultationStatus
from consultations.models import Consultation


class ConsultationDayFilter(ClinicDayFilter):
    """The day on which the consultation took place or was to take place."""

    def narrow(self, rows, variant, *arguments):
        return super().narrow(rows.with_day(), variant, *arguments)


class ConsultationStatusFilter(ChoicesFilter):
    """The derived status."""

    def variant(self, values):
        return values

    def arguments(self, values):
        return ()

    def narrow(self, rows, variant):
        return rows.with_status(*variant)


class ConsultationFilter(django_filters.FilterSet):
    date = ConsultationDayFilter("took_place_at", bounds=("gte", "lt"), label=_("Date"))
    date_after = ConsultationDayFilter("took_place_at", bounds=("gte",), label=_("Date from"))
    date_before = ConsultationDayFilter("took_place_at", bounds=("lt",), label=_("Date to"))
    status = ConsultationStatusFilter(choices=ConsultationStatus.choices, label=_("Status"))
    appointment = IdsFilter("appointment", label=_("Appointment"))
    patient = IdsFilter("patient", label=_("Patient"))
    doctor = IdsFilter("doctor", label=_("Doctor"))

    class Meta:
        model = Consultation
        fields = []
