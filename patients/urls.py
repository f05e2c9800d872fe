from rest_framework.routers import SimpleRouter

from patients.viewsets import EmergencyAccessViewSet, PatientViewSet

router = SimpleRouter()
router.register("patients", PatientViewSet, basename="patient")
router.register(
    r"patients/(?P<patient>[0-9]+)/emergency-access",
    EmergencyAccessViewSet,
    basename="emergencyaccess",
)
