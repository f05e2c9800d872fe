from accounts.roles import CLINICIANS, EVERYONE

CONSULTATIONS = {
    "list": EVERYONE,
    "retrieve": EVERYONE,
    "create": CLINICIANS,
    "update": CLINICIANS,
    "start_consultation": CLINICIANS,
    "complete_consultation": CLINICIANS,
    "reopen": CLINICIANS,
}

PARTS = {"list": EVERYONE, "retrieve": EVERYONE, "create": CLINICIANS}
PRESCRIPTIONS = PARTS | {"update": CLINICIANS}

PATIENT_CONSULTATIONS = {"list": EVERYONE}
