from rest_framework.routers import SimpleRouter

from appointments import slot_viewsets, viewsets
from config.clinical_records import register_routes

router = SimpleRouter()
register_routes(router, "appointments")
router.register("time-slots", slot_viewsets.TimeSlotViewSet, basename="timeslot")
router.register("doctors", slot_viewsets.DoctorViewSet, basename="doctor")
router.register(
    "doctor-availability", slot_viewsets.DoctorAvailabilityViewSet, basename="doctor-availability"
)
router.register("statistics", viewsets.StatisticsViewSet, basename="statistics")
router.register("upcoming", viewsets.UpcomingViewSet, basename="upcoming")
router.register("today", viewsets.TodayViewSet, basename="today")
