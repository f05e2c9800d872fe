from rest_framework.routers import SimpleRouter

from config.clinical_records import register_routes
from consultations import viewsets

router = SimpleRouter()
register_routes(router, "consultations")

# Addresses below a patient. This app serves them because they show consultations.
below_patients = SimpleRouter()
below_patients.register(
    r"patients/(?P<patient>[0-9]+)/consultations",
    viewsets.PatientConsultationsViewSet,
    basename="patient-consultations",
)
