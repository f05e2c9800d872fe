"""Endpoints for patient records, their access log and emergency access."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404

from accounts.audit.log import RecordReference
from accounts.auth.lockout import counting_password_attempt
from accounts.base_viewsets import NestedListMixin, ScopedViewSet, idempotent
from accounts.models import AuditEvent
from accounts.output import user_output
from accounts.services import update_profile
from config.api.etags import VersionedMixin
from config.api.pagination import PagePagination
from config.api.parsers import BoundedMultiPartParser, StrictJSONParser
from config.api.prepared_lists import PreparedListMixin
from patients import documentation, emergency_access, permissions, services
from patients.duplicates import possible_duplicates
from patients.filters import PatientFilter
from patients.models import EmergencyAccess, Patient
from patients.prepared_queries import (
    PATIENT_ORDER,
    PATIENT_ORDERING_FIELDS,
    PATIENTS,
    PatientRow,
)
from patients.serializers import (
    AccessLogSerializer,
    EmergencyAccessSerializer,
    PatientListSerializer,
    PatientRegistrationSerializer,
    PatientSearchSerializer,
    PatientSerializer,
)

SERIALIZERS = {
    "list": PatientListSerializer,
    "search": PatientListSerializer,
    "create": PatientRegistrationSerializer,
    "access_log": AccessLogSerializer,
}


class PatientViewSet(
    PreparedListMixin,
    mixins.ListModelMixin,
    mixins.CreateModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    VersionedMixin,
    ScopedViewSet,
):
    """The directory of patients and their records."""

    queryset = Patient.objects.all()
    serializer_class = PatientSerializer
    access = permissions.PATIENTS
    documentation = documentation.PATIENTS
    if_match = frozenset({"update", "partial_update", "destroy"})
    if_none_match = frozenset({"retrieve"})
    filterset_class = PatientFilter
    search_fields = ["search_text"]
    ordering_fields = PATIENT_ORDERING_FIELDS
    ordering = PATIENT_ORDER
    list_query = PATIENTS
    row_class = PatientRow
    parameters = {"search": PagePagination.parameters}
    messages = {
        "create": _("Patient created."),
        "update": _("Patient updated."),
        "partial_update": _("Patient updated."),
    }

    def get_parsers(self):
        if self.detail:  # a request for one patient may carry an avatar
            return [StrictJSONParser(), BoundedMultiPartParser()]
        return super().get_parsers()

    def get_serializer_class(self):
        return SERIALIZERS.get(self.action, PatientSerializer)

    def row_output(self):
        return user_output(PatientListSerializer.Meta.fields, self.request)

    def row_reference(self, row):
        return RecordReference(f"patient/{row.id}", row.id)

    create = idempotent(mixins.CreateModelMixin.create)

    def retrieve(self, request, pk=None):
        return self.answer(self.get_object(), self.get_serializer)

    def perform_create(self, serializer):
        fields = serializer.validated_data
        try:
            serializer.instance = services.create_patient(by=self.request.user, **fields)
        except ValidationError:
            self.found = tuple(self._possible_duplicates(fields))  # the error tells of them
            raise

    def _possible_duplicates(self, fields):
        names = {name: fields.get(name, "") for name in ("first_name", "last_name")}
        return possible_duplicates(
            by=self.request.user, date_of_birth=fields.get("date_of_birth"), **names
        )

    def update(self, request, *args, **kwargs):
        self.throttle_as_login(request)
        return super().update(request, *args, **kwargs)

    def perform_update(self, serializer):
        with counting_password_attempt(self.request, "current_password"):
            serializer.instance = update_profile(
                serializer.instance,
                by=self.request.user,
                if_version=self.if_version,
                **serializer.validated_data,
            )

    def perform_destroy(self, patient):
        services.deactivate(patient, by=self.request.user, if_version=self.if_version)

    @extend_schema(
        request=PatientSearchSerializer,
        responses=PatientListSerializer(many=True),
        filters=False,
    )
    @action(detail=False, methods=["post"])
    def search(self, request):
        """List patients; the body has the filters, and the address only the page."""
        body = PatientSearchSerializer(data=request.data, context=self.get_serializer_context())
        body.is_valid(raise_exception=True)
        request.list_parameters = {name: str(value) for name, value in body.validated_data.items()}
        return self.list(request)

    @extend_schema(responses=AccessLogSerializer(many=True))
    @action(
        detail=True,
        url_path="access-log",
        filter_backends=[],
        serializer_class=AccessLogSerializer,
    )
    def access_log(self, request, pk=None):
        """List who read or changed the record, latest first."""
        self.patient = self.get_object()
        events = AuditEvent.objects.visible_to(request.user).about(self.patient.pk)
        page = self.paginate_queryset(events.accesses().with_actor_name())
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def is_list_action(self):
        return self.action in ("list", "access_log")

    def records_read(self, response):
        if self.action == "access_log":
            return [self.patient]
        return super().records_read(response)


class PatientRecordsViewSet(NestedListMixin, mixins.ListModelMixin, ScopedViewSet):
    """The rows of one patient that the caller may see, below the patient's address."""

    def get_queryset(self):
        return super().get_queryset().filter(patient__in=self.parents())

    def parents(self):
        visible = Patient.objects.visible_to(self.request.user)
        return visible.filter(pk=self.kwargs["patient"])


class EmergencyAccessViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.CreateModelMixin, ScopedViewSet
):
    """Access of a doctor to the record of a patient whom they do not treat, in an emergency."""

    queryset = EmergencyAccess.objects.select_related("doctor")
    serializer_class = EmergencyAccessSerializer
    filter_backends = []
    access = permissions.EMERGENCY_ACCESS
    documentation = documentation.EMERGENCY_ACCESS
    messages = {"create": _("You can read this record for an hour. The patient will know.")}

    def get_queryset(self):
        self.patient = self.visible_patient()
        return super().get_queryset().filter(patient=self.patient)

    def visible_patient(self):
        visible = Patient.objects.visible_to(self.request.user)
        return get_object_or_404(visible, pk=self.kwargs["patient"])

    def records_read(self, response):
        return super().records_read(response) or [self.patient]

    @idempotent
    def create(self, request, *args, **kwargs):
        self.patient = self.visible_patient()
        self.found = (self.patient,)
        return super().create(request, *args, **kwargs)

    def perform_create(self, serializer):
        serializer.instance = emergency_access.grant_emergency_access(
            self.patient, by=self.request.user, **serializer.validated_data
        )
