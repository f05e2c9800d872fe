import django_filters
from django.utils.translation import gettext_lazy as _

from accounts.roles import Gender
from config.api.filters import ChoicesFilter, DateFilter
from patients.models import Patient


class PatientFilter(django_filters.FilterSet):
    gender = ChoicesFilter("gender", choices=Gender.choices, label=_("Gender"))
    date_of_birth = DateFilter("date_of_birth", label=_("Date of birth"))
    date_of_birth_after = DateFilter("date_of_birth", "gte", label=_("Date of birth from"))
    date_of_birth_before = DateFilter("date_of_birth", "lte", label=_("Date of birth to"))

    class Meta:
        model = Patient
        fields = []
