from rest_framework.routers import SimpleRouter

from patients.viewsets import PatientViewSet

router = SimpleRouter()
router.register("patients", PatientViewSet, basename="patient")
