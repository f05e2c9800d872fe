from django.urls import include, path
from rest_framework.routers import DefaultRouter

from benchmarks.naive.views import AppointmentViewSet, ProfileView, TimeSlotViewSet

router = DefaultRouter()
router.register("appointments", AppointmentViewSet, basename="appointment")
router.register("time-slots", TimeSlotViewSet, basename="time-slot")

urlpatterns = [
    path("api/auth/profile/", ProfileView.as_view()),
    path("api/", include(router.urls)),
]
