from rest_framework.routers import SimpleRouter

from consultations import viewsets

router = SimpleRouter()
router.register("consultations", viewsets.ConsultationViewSet, basename="consultation")
for name, viewset in (
    ("vital-signs", viewsets.VitalSignsViewSet),
    ("prescriptions", viewsets.PrescriptionViewSet),
    ("notes", viewsets.ConsultationNoteViewSet),
):
    router.register(
        rf"consultations/(?P<consultation>[0-9]+)/{name}", viewset, basename=f"consultation-{name}"
    )

# Below the patients' address, served from here because the data are ours.
below_patients = SimpleRouter()
below_patients.register(
    r"patients/(?P<patient>[0-9]+)/consultations",
    viewsets.PatientConsultationsViewSet,
    basename="patient-consultations",
)
