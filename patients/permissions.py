from accounts.roles import ADMINS, CLINICIANS, DOCTORS, EVERYONE
from accounts.roles import PATIENTS as PATIENTS_ALONE

PATIENTS = {
    "list": CLINICIANS,
    "search": CLINICIANS,
    "retrieve": EVERYONE,
    "create": CLINICIANS,
    "update": EVERYONE,
    "destroy": ADMINS,
    "access_log": PATIENTS_ALONE | ADMINS,
}

EMERGENCY_ACCESS = {"list": EVERYONE, "retrieve": EVERYONE, "create": DOCTORS}
