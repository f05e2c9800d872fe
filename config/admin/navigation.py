"""The sidebar of the staff admin (settings.UNFOLD)."""

from django.urls import reverse_lazy

SECTIONS = [
    ("", [("Overview", "dashboard", "index")]),
    (
        "Clinic",
        [
            ("Appointments", "event", "appointments_appointment_changelist"),
            ("Time slots", "schedule", "appointments_timeslot_changelist"),
            (
                "Consultations",
                "stethoscope",
                "consultations_consultation_changelist",
            ),
        ],
    ),
    (
        "People",
        [
            ("Patients", "personal_injury", "patients_patient_changelist"),
            ("Doctors", "medical_services", "accounts_doctor_changelist"),
            ("All accounts", "group", "accounts_user_changelist"),
            ("Sign-in sessions", "devices", "accounts_session_changelist"),
            ("Failed sign-ins", "lock", "accounts_logincounter_changelist"),
        ],
    ),
    (
        "Records",
        [
            ("Vital signs", "vital_signs", "consultations_vitalsigns_changelist"),
            ("Prescriptions", "pill", "consultations_prescription_changelist"),
            ("Notes", "clinical_notes", "consultations_consultationnote_changelist"),
        ],
    ),
    (
        "Audit",
        [
            ("Who did what", "policy", "accounts_auditevent_changelist"),
            ("Emergency access", "emergency", "patients_emergencyaccess_changelist"),
            (
                "Appointment history",
                "history",
                "appointments_appointmenthistory_changelist",
            ),
        ],
    ),
]

NAVIGATION = [
    {
        "title": title,
        "items": [
            {"title": name, "icon": icon, "link": reverse_lazy(f"admin:{view}")}
            for name, icon, view in items
        ],
    }
    for title, items in SECTIONS
]
