"""Endpoints for appointments, time slots, doctors, availability and statistics."""

from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.base_viewsets import ScopedViewSet, idempotent
from appointments import (
    clock,
    documentation,
    permissions,
    prepared_queries,
    services,
)
from appointments.filters import AppointmentFilter, OverviewFilter
from appointments.lifecycle import MOVES
from appointments.models import Appointment, AppointmentHistory
from appointments.output import (
    AppointmentRow,
    appointment_output,
)
from appointments.serializers import (
    AppointmentSerializer,
    BookingSerializer,
    HistorySerializer,
    MoveSerializer,
    PeriodSerializer,
    ReopenSerializer,
    RescheduleSerializer,
    StatisticsSerializer,
)
from appointments.statistics import statistics
from config.api.etags import VersionedMixin, entity_tag
from config.api.fields import parse_id
from config.api.prepared_lists import PreparedListMixin
from config.db.text import text_names
from patients.viewsets import PatientRecordsViewSet

LONG_TEXTS = text_names(Appointment)


class AppointmentViewSet(
    mixins.CreateModelMixin,
    PreparedListMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    VersionedMixin,
    ScopedViewSet,
):
    """The caller's appointments. Each step of an appointment is a POST."""

    queryset = Appointment.objects.with_names()
    serializer_class = AppointmentSerializer
    filterset_class = AppointmentFilter
    search_fields = [
        "patient__sort_first_name",
        "patient__sort_last_name",
        "doctor__sort_first_name",
        "doctor__sort_last_name",
        "reason_for_visit",
    ]
    ordering_fields = prepared_queries.APPOINTMENT_ORDERING_FIELDS
    ordering = prepared_queries.APPOINTMENT_ORDER
    list_query = prepared_queries.APPOINTMENTS
    row_class = AppointmentRow
    long_texts = LONG_TEXTS
    access = permissions.APPOINTMENTS
    documentation = documentation.APPOINTMENTS
    if_match = frozenset({"update", "partial_update", *MOVES})
    messages = {
        "create": _("Appointment booked."),
        "update": _("Appointment updated."),
        "partial_update": _("Appointment updated."),
        "confirm": _("Appointment confirmed."),
        "start": _("Visit started."),
        "complete": _("Appointment completed."),
        "no_show": _("Appointment marked as no-show."),
        "cancel": _("Appointment cancelled."),
        "reschedule": _("Appointment rescheduled."),
        "reopen": _("Appointment reopened."),
    }

    def get_serializer_class(self):
        return BookingSerializer if self.action == "create" else super().get_serializer_class()

    def row_output(self):
        return appointment_output(self.request.user.role)

    def retrieve(self, request, *args, **kwargs):
        if request.accepted_renderer.format == "api":  # whose form for PUT shows the instance
            return super().retrieve(request, *args, **kwargs)
        user, pk = request.user, parse_id(self.kwargs["pk"])
        rows = pk and prepared_queries.APPOINTMENT.rows(user.pk, pk, key=user.role)
        if not rows:
            raise Http404
        self.rows = [AppointmentRow._make(row) for row in rows]
        [row] = self.rows
        return Response(self.row_output()(row), headers={"ETag": entity_tag(row)})

    create = idempotent(mixins.CreateModelMixin.create)

    def perform_create(self, serializer):
        serializer.instance = services.book(by=self.request.user, **serializer.validated_data)

    def perform_update(self, serializer):
        serializer.instance = services.update(
            serializer.instance,
            by=self.request.user,
            if_version=self.if_version,
            **serializer.validated_data,
        )

    @action(detail=True, methods=["post"], serializer_class=MoveSerializer)
    @idempotent
    def confirm(self, request, pk=None):
        return self.move()

    @action(detail=True, methods=["post"], serializer_class=MoveSerializer)
    @idempotent
    def start(self, request, pk=None):
        return self.move()

    @action(detail=True, methods=["post"], serializer_class=MoveSerializer)
    @idempotent
    def complete(self, request, pk=None):
        return self.move()

    @action(detail=True, methods=["post"], serializer_class=MoveSerializer)
    @idempotent
    def no_show(self, request, pk=None):
        return self.move()

    @action(detail=True, methods=["post"], serializer_class=MoveSerializer)
    @idempotent
    def cancel(self, request, pk=None):
        return self.move()

    @action(detail=True, methods=["post"], serializer_class=RescheduleSerializer)
    @idempotent
    def reschedule(self, request, pk=None):
        return self.move()

    @action(detail=True, methods=["post"], serializer_class=ReopenSerializer)
    @idempotent
    def reopen(self, request, pk=None):
        return self.move()

    def move(self):
        """Make the move that has the name of the action, with the values of the body."""
        appointment = self.get_object()
        serializer = self.valid_serializer()
        serializer.instance = services.move(
            appointment,
            self.action,
            by=self.request.user,
            if_version=self.if_version,
            **serializer.validated_data,
        )
        return Response(serializer.data)

    @extend_schema(responses=HistorySerializer(many=True))
    @action(detail=True, filter_backends=[], serializer_class=HistorySerializer)
    def history(self, request, pk=None):
        entries = AppointmentHistory.objects.visible_to(request.user).filter(appointment__pk=pk)
        page = self.paginate_queryset(entries.select_related("appointment", "changed_by"))
        if not page:  # every appointment has an entry, so the appointment is not visible
            raise Http404
        return self.get_paginated_response(self.get_serializer(page, many=True).data)

    def is_list_action(self):
        return self.action in ("list", "history")


class PatientAppointmentsViewSet(PatientRecordsViewSet):
    """The appointments of one patient that the caller may see."""

    queryset = Appointment.objects.with_names()
    serializer_class = AppointmentSerializer
    filterset_class = AppointmentFilter
    ordering_fields = prepared_queries.APPOINTMENT_ORDERING_FIELDS
    ordering = prepared_queries.APPOINTMENT_ORDER
    long_texts = LONG_TEXTS
    access = permissions.PATIENT_APPOINTMENTS
    documentation = documentation.PATIENT_APPOINTMENTS


class StatisticsViewSet(ScopedViewSet):
    """Counts and rates of the appointments that the caller sees."""

    queryset = Appointment.objects.all()
    serializer_class = StatisticsSerializer
    filter_backends = []
    pagination_class = None
    access = permissions.OVERVIEWS
    documentation = documentation.STATISTICS
    parameters = {"list": ("date_after", "date_before")}

    @extend_schema(parameters=[PeriodSerializer], responses=StatisticsSerializer)
    def list(self, request):
        period = PeriodSerializer(data=request.query_params)
        period.is_valid(raise_exception=True)
        counted = statistics(self.get_queryset(), **period.validated_data)
        return Response(self.get_serializer(counted).data)


class OverviewViewSet(PreparedListMixin, mixins.ListModelMixin, ScopedViewSet):
    """A selection of the caller's appointments, soonest first."""

    queryset = Appointment.objects.with_names()
    serializer_class = AppointmentSerializer
    filterset_class = OverviewFilter
    access = permissions.OVERVIEWS
    row_class = AppointmentRow
    long_texts = LONG_TEXTS

    def row_output(self):
        return appointment_output(self.request.user.role)

    def filter_queryset(self, queryset):
        return self.selected(super().filter_queryset(queryset)).soonest_first()


class UpcomingViewSet(OverviewViewSet):
    """The caller's scheduled and confirmed appointments in the future."""

    documentation = documentation.UPCOMING
    list_query = prepared_queries.UPCOMING

    def list_scope(self):
        return (), [self.request.user.pk, clock.now()]

    def selected(self, rows):
        return rows.upcoming()


class TodayViewSet(OverviewViewSet):
    """The caller's appointments of the current clinic day, without cancelled ones."""

    documentation = documentation.TODAY
    list_query = prepared_queries.OF_DAY

    def list_scope(self):
        return (), [self.request.user.pk, *clock.day_bounds(clock.today())]

    def selected(self, rows):
        return rows.today()
