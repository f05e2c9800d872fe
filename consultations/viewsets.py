"""Endpoints for consultations, their parts, and the consultations of a patient."""

from django.db.models import Prefetch
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.generics import get_object_or_404
from rest_framework.response import Response

from accounts.base_viewsets import NestedListMixin, ScopedViewSet, idempotent
from config.api.etags import VersionedMixin
from config.api.prepared_lists import PreparedListMixin
from config.db.querysets import Viewer
from config.db.text import text_names
from consultations import documentation, permissions, services
from consultations.filters import ConsultationFilter
from consultations.models import Consultation, ConsultationNote, Prescription, VitalSigns
from consultations.output import ConsultationRow, consultation_output
from consultations.prepared_queries import (
    CONSULTATION_ORDER,
    CONSULTATION_ORDERING_FIELDS,
    CONSULTATIONS,
)
from consultations.serializers import (
    ConsultationCompleteSerializer,
    ConsultationCreateSerializer,
    ConsultationDetailSerializer,
    ConsultationNoteSerializer,
    ConsultationReopenSerializer,
    ConsultationSerializer,
    PrescriptionSerializer,
    StartSerializer,
    VitalSignsSerializer,
)
from patients.viewsets import PatientRecordsViewSet

LONG_TEXTS = text_names(Consultation)


class ConsultationViewSet(
    PreparedListMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    VersionedMixin,
    ScopedViewSet,
):
    """Consultations, of appointments and of walk-in patients."""

    queryset = Consultation.objects.with_names()
    serializer_class = ConsultationDetailSerializer
    filterset_class = ConsultationFilter
    search_fields = [
        "patient__sort_first_name",
        "patient__sort_last_name",
        "doctor__sort_first_name",
        "doctor__sort_last_name",
        "chief_complaint",
        "diagnosis",
    ]
    ordering_fields = CONSULTATION_ORDERING_FIELDS
    ordering = CONSULTATION_ORDER
    list_query = CONSULTATIONS
    row_class = ConsultationRow
    long_texts = LONG_TEXTS
    access = permissions.CONSULTATIONS
    documentation = documentation.CONSULTATIONS
    if_match = frozenset(
        {"update", "partial_update", "start_consultation", "complete_consultation", "reopen"}
    )
    messages = {
        "create": _("Consultation opened."),
        "update": _("Consultation updated."),
        "partial_update": _("Consultation updated."),
        "start_consultation": _("Consultation started."),
        "complete_consultation": _("Consultation completed."),
        "reopen": _("Consultation reopened."),
    }

    def get_serializer_class(self):
        serializers = {"list": ConsultationSerializer, "create": ConsultationCreateSerializer}
        return serializers.get(self.action) or super().get_serializer_class()

    def list_scope(self):
        viewer = Viewer.of(self.request.user)
        return (), [viewer.pk, viewer.now]

    def row_output(self):
        return consultation_output(self.request.user.role)

    def filter_queryset(self, queryset):
        queryset = super().filter_queryset(queryset)
        return queryset if self.action == "list" else self.with_parts(queryset)

    @extend_schema(responses={201: ConsultationDetailSerializer})
    @idempotent
    def create(self, request):
        data = self.valid_serializer().validated_data
        open_consultation = services.open_for if "appointment" in data else services.open_walk_in
        consultation = open_consultation(by=request.user, **data)
        return Response(self.serialized(consultation), status=status.HTTP_201_CREATED)

    def perform_update(self, serializer):
        services.update_text(
            serializer.instance,
            by=self.request.user,
            if_version=self.if_version,
            **serializer.validated_data,
        )
        serializer.instance = self.reread(serializer.instance)

    @extend_schema(responses=ConsultationDetailSerializer)
    @action(detail=True, methods=["post"], serializer_class=StartSerializer)
    @idempotent
    def start_consultation(self, request, pk=None):
        consultation = self.get_object()
        self.valid_serializer()
        services.start(consultation, by=request.user, if_version=self.if_version)
        return Response(self.serialized(consultation))

    @extend_schema(responses=ConsultationDetailSerializer)
    @action(detail=True, methods=["post"], serializer_class=ConsultationCompleteSerializer)
    @idempotent
    def complete_consultation(self, request, pk=None):
        consultation = self.get_object()
        closing = self.valid_serializer().validated_data
        services.complete(consultation, by=request.user, if_version=self.if_version, **closing)
        return Response(self.serialized(consultation))

    @extend_schema(responses=ConsultationDetailSerializer)
    @action(detail=True, methods=["post"], serializer_class=ConsultationReopenSerializer)
    @idempotent
    def reopen(self, request, pk=None):
        consultation = self.get_object()
        reason = self.valid_serializer().validated_data["reason"]
        services.reopen(consultation, by=request.user, reason=reason, if_version=self.if_version)
        return Response(self.serialized(consultation))

    def with_parts(self, queryset):
        notes = ConsultationNote.objects.readable_by(self.request.user)
        return queryset.prefetch_related(
            Prefetch("vital_signs", VitalSigns.objects.newest().select_related("recorded_by")),
            Prefetch(
                "prescriptions", Prescription.objects.newest().select_related("prescribed_by")
            ),
            Prefetch("notes", notes.newest().select_related("created_by")),
        )

    def reread(self, consultation):
        return self.with_parts(self.queryset.filter(pk=consultation.pk)).get()

    def serialized(self, consultation):
        """Read the consultation and its parts again, and serialize them."""
        context = self.get_serializer_context()
        return ConsultationDetailSerializer(self.reread(consultation), context=context).data


class PartViewSet(
    NestedListMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.CreateModelMixin,
    ScopedViewSet,
):
    """The parts of a consultation, below the consultation's URL.

    Parts are not changed or deleted: a new entry corrects a wrong one.
    """

    filter_backends = []
    access = permissions.PARTS

    def get_queryset(self):
        return super().get_queryset().filter(consultation__pk=self.kwargs["consultation"])

    def consultations(self):
        return Consultation.objects.filter(pk=self.kwargs["consultation"])

    def parents(self):
        return self.consultations().visible_to(self.request.user)

    @idempotent
    def create(self, request, *args, **kwargs):
        writable = self.consultations().writable_by(request.user).with_people()
        self.consultation = get_object_or_404(writable)
        self.found = (self.consultation,)
        return super().create(request, *args, **kwargs)

    def perform_create(self, serializer):
        data = serializer.validated_data
        serializer.instance = self.add(self.consultation, by=self.request.user, **data)


class VitalSignsViewSet(PartViewSet):
    queryset = VitalSigns.objects.select_related("consultation", "recorded_by")
    serializer_class = VitalSignsSerializer
    documentation = documentation.VITAL_SIGNS
    messages = {"create": _("Vital signs recorded.")}
    add = staticmethod(services.record_vital_signs)


class PrescriptionViewSet(PartViewSet):
    queryset = Prescription.objects.select_related("consultation__appointment", "prescribed_by")
    serializer_class = PrescriptionSerializer
    long_texts = ("instructions", "override_reason")
    access = permissions.PRESCRIPTIONS
    documentation = documentation.PRESCRIPTIONS
    messages = {"create": _("Prescription added."), "partial_update": _("Prescription updated.")}
    add = staticmethod(services.prescribe)

    def partial_update(self, request, *args, **kwargs):
        """Change `is_active`: stop the medication at any time, or resume it during the visit.

        A medication that the allergies list is resumed only with an `override_reason`.
        """
        prescription = self.get_object()
        serializer = self.get_serializer(prescription, data=request.data, partial=True)
        serializer.is_valid(raise_exception=True)
        if "is_active" in serializer.validated_data:
            serializer.instance = services.set_active(
                prescription, by=request.user, **serializer.validated_data
            )
        return Response(serializer.data)


class ConsultationNoteViewSet(PartViewSet):
    queryset = ConsultationNote.objects.select_related("consultation", "created_by")
    serializer_class = ConsultationNoteSerializer
    long_texts = ("content",)
    documentation = documentation.NOTES
    messages = {"create": _("Note added.")}
    add = staticmethod(services.add_note)


class PatientConsultationsViewSet(PatientRecordsViewSet):
    """The consultations of one patient that the caller may see."""

    queryset = Consultation.objects.with_names()
    serializer_class = ConsultationSerializer
    long_texts = LONG_TEXTS
    filter_backends = []
    access = permissions.PATIENT_CONSULTATIONS
    documentation = documentation.PATIENT_CONSULTATIONS
