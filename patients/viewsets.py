from rest_framework import mixins

from accounts.doors import ScopedViewSet, VersionedMixin, idempotent, proving
from accounts.services import update_profile
from config.api.parsers import BoundedMultiPartParser, StrictJSONParser
from patients import permissions, services
from patients.filters import PatientFilter
from patients.models import Patient
from patients.serializers import (
    PatientListSerializer,
    PatientRegistrationSerializer,
    PatientSerializer,
)

SERIALIZERS = {"list": PatientListSerializer, "create": PatientRegistrationSerializer}


class PatientViewSet(
    mixins.ListModelMixin,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    VersionedMixin,
    ScopedViewSet,
):
    """The patients' directory and records."""

    queryset = Patient.objects.all()
    serializer_class = PatientSerializer
    access = permissions.PATIENTS
    if_match = frozenset({"update", "partial_update", "destroy"})
    filterset_class = PatientFilter
    search_fields = ["first_name", "last_name", "email", "phone"]
    ordering_fields = {
        "last_name": "last_name",
        "first_name": "first_name",
        "created_at": "created_at",
    }
    ordering = ["last_name", "first_name", "pk"]
    messages = {
        "create": "Patient created.",
        "update": "Patient updated.",
        "partial_update": "Patient updated.",
    }

    def get_parsers(self):
        if self.detail:  # where a picture may travel
            return [StrictJSONParser(), BoundedMultiPartParser()]
        return super().get_parsers()

    def get_serializer_class(self):
        return SERIALIZERS.get(self.action, PatientSerializer)

    create = idempotent(mixins.CreateModelMixin.create)

    def perform_create(self, form):
        form.instance = services.create_patient(**form.validated_data)

    def update(self, request, *args, **kwargs):
        self.count_as_sign_in(request)
        return super().update(request, *args, **kwargs)

    def perform_update(self, form):
        with proving(self.request, "current_password"):
            form.instance = update_profile(
                form.instance,
                by=self.request.user,
                if_version=self.if_version,
                **form.validated_data,
            )

    def perform_destroy(self, patient):
        services.deactivate(patient, by=self.request.user, if_version=self.if_version)
