"""Endpoints for time slots, bookable doctors and their availability."""

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
    documentation,
    permissions,
    prepared_queries,
    slot_services,
)
from appointments.booking_rules import BookingWindow
from appointments.filters import DoctorFilter, TimeSlotFilter
from appointments.models import TimeSlot
from appointments.output import (
    DoctorRow,
    TimeSlotRow,
    doctor_output,
    time_slot_output,
)
from appointments.slot_serializers import (
    AvailabilityQuerySerializer,
    AvailabilitySerializer,
    BulkSlotsResponseSerializer,
    BulkSlotsSerializer,
    DoctorSerializer,
    TimeSlotSerializer,
)
from config.api.prepared_lists import PreparedListMixin


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
    documentation = documentation.TIME_SLOTS
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
    search_fields = ["sort_first_name", "sort_last_name", "specialization"]
    ordering = prepared_queries.DOCTOR_ORDER
    list_query = prepared_queries.DOCTORS
    row_class = DoctorRow
    access = permissions.DOCTORS
    documentation = documentation.DOCTORS

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
    documentation = documentation.AVAILABILITY
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
