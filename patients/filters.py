import django_filters

from accounts.roles import Gender
from config.api.filters import ChoiceFilter, DateFilter
from patients.models import Patient


class PatientFilter(django_filters.FilterSet):
    gender = ChoiceFilter("gender", choices=Gender.choices)
    date_of_birth = DateFilter("date_of_birth")
    date_of_birth_after = DateFilter(field_name="date_of_birth", lookup_expr="gte")
    date_of_birth_before = DateFilter(field_name="date_of_birth", lookup_expr="lte")

    class Meta:
        model = Patient
        fields = []
