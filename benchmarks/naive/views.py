from django.db.models import Exists, OuterRef
from django.utils import timezone
from django_filters import DateFilter, FilterSet
from rest_framework import serializers, viewsets
from rest_framework.response import Response
from rest_framework.views import APIView

from benchmarks.naive.models import Appointment, AppointmentHistory, TimeSlot, User


class UserSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        exclude = ["password", "is_staff", "is_superuser", "last_login", "is_active"]


class TimeSlotSerializer(serializers.ModelSerializer):
    doctor_name = serializers.CharField(source="doctor.get_full_name", read_only=True)
    doctor_specialization = serializers.CharField(source="doctor.specialization", read_only=True)

    class Meta:
        model = TimeSlot
        fields = "__all__"  # as typical projects do


class TimeSlotFilter(FilterSet):
    date_after = DateFilter(field_name="starts_at", lookup_expr="gte")
    date_before = DateFilter(field_name="starts_at", lookup_expr="date__lte")

    class Meta:
        model = TimeSlot
        fields = ["doctor"]


class AppointmentSerializer(serializers.ModelSerializer):
    patient_name = serializers.CharField(source="patient.get_full_name", read_only=True)
    doctor_name = serializers.CharField(source="doctor.get_full_name", read_only=True)
    time_slot_details = TimeSlotSerializer(source="time_slot", read_only=True)

    class Meta:
        model = Appointment
        fields = "__all__"  # as typical projects do
        read_only_fields = ["patient", "doctor", "starts_at", "ends_at", "status", "booked_by"]

    def validate_time_slot(self, slot):
        if slot.starts_at <= timezone.now():
            raise serializers.ValidationError("This time slot lies in the past.")
        if slot.appointments.exclude(status="cancelled").exists():
            raise serializers.ValidationError("This time slot is taken.")
        return slot


class Enveloped(viewsets.ModelViewSet):
    def finalize_response(self, request, response, *args, **kwargs):
        if not response.exception:
            response.data = {"status": "success", "data": response.data, "message": "Done"}
        return super().finalize_response(request, response, *args, **kwargs)


class AppointmentViewSet(Enveloped):
    serializer_class = AppointmentSerializer
    filterset_fields = ["status", "doctor", "patient"]

    def get_queryset(self):
        user = self.request.user
        appointments = Appointment.objects.order_by("-starts_at", "-id")
        if user.user_type == "doctor":
            return appointments.filter(doctor=user)
        if user.user_type == "patient":
            return appointments.filter(patient=user)
        return appointments

    def perform_create(self, serializer):
        user, slot = self.request.user, serializer.validated_data["time_slot"]
        appointment = serializer.save(
            patient=user,
            doctor=slot.doctor,
            starts_at=slot.starts_at,
            ends_at=slot.ends_at,
            booked_by=user,
        )
        AppointmentHistory.objects.create(
            appointment=appointment,
            action="book",
            to_status="scheduled",
            to_starts_at=slot.starts_at,
            changed_by=user,
        )


class TimeSlotViewSet(Enveloped):
    serializer_class = TimeSlotSerializer
    filterset_class = TimeSlotFilter

    def get_queryset(self):
        held = Appointment.objects.exclude(status="cancelled").filter(time_slot=OuterRef("pk"))
        free = TimeSlot.objects.filter(~Exists(held), starts_at__gt=timezone.now())
        return free.order_by("starts_at", "id")


class ProfileView(APIView):
    def get(self, request):
        return Response({"status": "success", "data": UserSerializer(request.user).data})
