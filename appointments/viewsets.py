"""Endpoints for appointments, time slots, doctors, availability and statistics."""

from django.http import Http404
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.response import Response

from accounts.base_viewsets import ScopedViewSet, idempotent
from accounts.models import Doctor
from accounts.roles import UserType
from appointments import (
    booking_rules,
    clock,
    permissions,
    prepared_queries,
    services,
    slot_services,
)
from appointments.booking_rules import BookingWindow
from appointments.filters import AppointmentFilter, DoctorFilter, TimeSlotFilter
from appointments.lifecycle import MOVES
from appointments.models import Appointment, AppointmentHistory, TimeSlot
from appointments.output import (
    AppointmentRow,
    DoctorRow,
    TimeSlotRow,
    appointment_output,
    doctor_output,
    time_slot_output,
)
from appointments.serializers import (
    AppointmentSerializer,
    BookingSerializer,
    HistorySerializer,
    MoveSerializer,
    PeriodSerializer,
    RescheduleSerializer,
    StatisticsSerializer,
)
from appointments.slot_serializers import (
    AvailabilityQuerySerializer,
    AvailabilitySerializer,
    BulkSlotsResponseSerializer,
    BulkSlotsSerializer,
    DoctorSerializer,
    TimeSlotSerializer,
)
from appointments.statistics import statistics
from config.api.etags import VersionedMixin, entity_tag
from config.api.fields import parse_id
from config.api.prepared_lists import PreparedListMixin


class AppointmentViewSet(
    mixins.CreateModelMixin,
    PreparedListMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    VersionedMixin,
    ScopedViewSet,
):
    """The caller's appointments. Each move of lifecycle.MOVES is a POST."""

    queryset = Appointment.objects.with_names()
    serializer_class = AppointmentSerializer
    filterset_class = AppointmentFilter
    search_fields = [
        "patient__first_name",
        "patient__last_name",
        "doctor__first_name",
        "doctor__last_name",
        "reason_for_visit",
    ]
    ordering_fields = prepared_queries.APPOINTMENT_ORDERING_FIELDS
    ordering = prepared_queries.APPOINTMENT_ORDER
    list_query = prepared_queries.APPOINTMENTS
    row_class = AppointmentRow
    access = permissions.APPOINTMENTS
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
    }

    def get_serializer_class(self):
        return BookingSerializer if self.action == "create" else super().get_serializer_class()

    def row_output(self):
        return appointment_output(self.request.user.role)

    def retrieve(self, request, *args, **kwargs):
        if request.accepted_renderer.format == "api":  # whose form for PUT shows the instance
            return super().retrieve(request, *args, **kwargs)
        user, pk = request.user, parse_id(self.kwargs["pk"])
        rows = prepared_queries.APPOINTMENT.rows(user.pk, pk, key=user.role)
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


class TimeSlotViewSet(
    PreparedListMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.UpdateModelMixin,
    mixins.DestroyModelMixin,
    ScopedViewSet,
):
    """The time slots of doctors. In the list, patients see only slots that they can book."""

    queryset = TimeSlot.objects.with_names()
    serializer_class = TimeSlotSerializer
    filterset_class = TimeSlotFilter
    ordering = prepared_queries.TIME_SLOT_ORDER
    list_query = prepared_queries.TIME_SLOTS
    row_class = TimeSlotRow
    access = permissions.TIME_SLOTS
    messages = {
        "create": _("Time slot created."),
        "create_bulk_slots": _("Time slots created."),
        "update": _("Time slot updated."),
        "partial_update": _("Time slot updated."),
    }

    def filter_queryset(self, queryset):
        if self.action == "list" and self.request.user.role == UserType.PATIENT:
            window = booking_rules.BookingWindow.of(self.request.user)
            slots = booking_rules.bookable_by_patient(window, queryset)
        else:
            slots = queryset.with_availability()
        return super().filter_queryset(slots)

    def list_scope(self):
        user = self.request.user
        scope, window = prepared_queries.window_scope(user)
        return scope, [user.pk, *window]

    def row_output(self):
        return time_slot_output

    @idempotent
    def create(self, request):
        serializer = self.valid_serializer()
        slot = slot_services.open_slot(**serializer.validated_data)
        return Response(self.serialized([slot])[0], status=status.HTTP_201_CREATED)

    def perform_update(self, serializer):
        slot = slot_services.change_slot(serializer.instance, **serializer.validated_data)
        serializer.instance = self.reread([slot])[0]

    def perform_destroy(self, slot):
        slot_services.withdraw(slot)

    @extend_schema(responses={201: BulkSlotsResponseSerializer})
    @action(detail=False, methods=["post"], serializer_class=BulkSlotsSerializer)
    @idempotent
    def create_bulk_slots(self, request):
        serializer = self.valid_serializer()
        opened, skipped = slot_services.open_slots(
            doctor=serializer.validated_data["doctor"], plan=serializer.plan()
        )
        context = self.get_serializer_context()
        result = {"created": self.reread(opened), "skipped": skipped}
        answer = BulkSlotsResponseSerializer(result, context=context)
        return Response(answer.data, status=status.HTTP_201_CREATED)

    def replay_key(self, answer):
        if self.action != "create_bulk_slots":
            return super().replay_key(answer)
        return answer | {"created": [slot["id"] for slot in answer["created"]]}

    def replay_response(self, made):
        if self.action != "create_bulk_slots":
            return super().replay_response(made)
        slots = self.get_queryset().filter(pk__in=made["created"])
        return Response(made | {"created": self.serialized(slots)})

    def reread(self, slots):
        """Read the slots again with the columns of a GET, `is_available` included."""
        if not slots:
            return []
        ids = [slot.pk for slot in slots]
        return list(self.queryset.filter(pk__in=ids).with_availability().order_by("starts_at"))

    def serialized(self, slots):
        context = self.get_serializer_context()
        return TimeSlotSerializer(self.reread(slots), many=True, context=context).data


class DoctorViewSet(
    PreparedListMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, ScopedViewSet
):
    """The doctors who can be booked."""

    queryset = Doctor.objects.all()
    serializer_class = DoctorSerializer
    filterset_class = DoctorFilter
    search_fields = ["first_name", "last_name", "specialization"]
    ordering = prepared_queries.DOCTOR_ORDER
    list_query = prepared_queries.DOCTORS
    row_class = DoctorRow
    access = permissions.DOCTORS

    def filter_queryset(self, queryset):
        return super().filter_queryset(
            booking_rules.with_next_available(queryset, BookingWindow.of(self.request.user))
        )

    def list_scope(self):
        user = self.request.user
        scope, window = prepared_queries.window_scope(user)
        return scope, [user.pk, *window]

    def row_output(self):
        return doctor_output(self.request)


class DoctorAvailabilityViewSet(ScopedViewSet):
    """The free slots of a doctor. The response never names a patient."""

    queryset = TimeSlot.objects.with_names()
    serializer_class = AvailabilitySerializer
    filter_backends = []
    pagination_class = None
    access = permissions.AVAILABILITY
    parameters = {"list": ("doctor", "date", "date_after", "date_before")}

    @extend_schema(parameters=[AvailabilityQuerySerializer], responses=AvailabilitySerializer)
    def list(self, request):
        serializer = AvailabilityQuerySerializer(
            data=request.query_params, context=self.get_serializer_context()
        )
        serializer.is_valid(raise_exception=True)
        asked = serializer.validated_data
        scope, window = prepared_queries.window_scope(request.user)
        start, end = clock.start_of_day(asked["date_after"]), clock.end_of_day(asked["date_before"])
        rows = prepared_queries.FREE_SLOTS.rows(asked["doctor"].pk, start, end, *window, key=scope)
        slots = [time_slot_output(TimeSlotRow._make(row)) for row in rows]
        return Response(self.get_serializer(asked | {"slots": slots}).data)


class StatisticsViewSet(ScopedViewSet):
    """Counts and rates of the appointments that the caller sees."""

    queryset = Appointment.objects.all()
    serializer_class = StatisticsSerializer
    filter_backends = []
    pagination_class = None
    access = permissions.OVERVIEWS
    parameters = {"list": ("date_after", "date_before")}

    @extend_schema(parameters=[PeriodSerializer], responses=StatisticsSerializer)
    def list(self, request):
        period = PeriodSerializer(data=request.query_params)
        period.is_valid(raise_exception=True)
        counted = statistics(self.get_queryset(), **period.validated_data)
        return Response(self.get_serializer(counted).data)


class UpcomingViewSet(PreparedListMixin, mixins.ListModelMixin, ScopedViewSet):
    """The caller's scheduled and confirmed appointments in the future, soonest first."""

    queryset = Appointment.objects.with_names()
    serializer_class = AppointmentSerializer
    filter_backends = []
    access = permissions.OVERVIEWS
    list_query = prepared_queries.UPCOMING
    row_class = AppointmentRow

    def list_scope(self):
        return (), [self.request.user.pk, clock.now()]

    def row_output(self):
        return appointment_output(self.request.user.role)

    def filter_queryset(self, queryset):
        return queryset.upcoming().soonest_first()


class TodayViewSet(UpcomingViewSet):
    """The caller's appointments of the current clinic day, without cancelled ones."""

    list_query = prepared_queries.OF_DAY

    def list_scope(self):
        return (), [self.request.user.pk, *clock.day_bounds(clock.today())]

    def filter_queryset(self, queryset):
        return queryset.today().soonest_first()
