from rest_framework.routers import SimpleRouter

from appointments import slot_viewsets, viewsets
from config.clinical_records import register_routes

# Addresses below a patient. This app serves them because they show appointments.
below_patients = SimpleRouter()
below_patients.register(
    r"patients/(?P<patient>[0-9]+)/appointments",
    viewsets.PatientAppointmentsViewSet,
    basename="patient-appointments",
)

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
