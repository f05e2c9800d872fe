from accounts.roles import ADMINS, CLINICIANS, EVERYONE

PATIENTS = {
    "list": CLINICIANS,
    "retrieve": EVERYONE,
    "create": CLINICIANS,
    "update": EVERYONE,
    "destroy": ADMINS,
}
