from accounts.roles import CLINICIANS, EVERYONE, SIGNED_IN, UNVERIFIED_DOCTORS
from appointments.lifecycle import MOVES

SLOT_OWNERS = CLINICIANS | UNVERIFIED_DOCTORS

APPOINTMENTS = {
    "list": EVERYONE,
    "retrieve": EVERYONE,
    "create": EVERYONE,
    "update": EVERYONE,
    "history": EVERYONE,
    **{action: move.roles for action, move in MOVES.items()},
}

PATIENT_APPOINTMENTS = {"list": EVERYONE}

TIME_SLOTS = {
    "list": SIGNED_IN,
    "retrieve": SIGNED_IN,
    "create": SLOT_OWNERS,
    "create_bulk_slots": SLOT_OWNERS,
    "update": SLOT_OWNERS,
    "destroy": SLOT_OWNERS,
}

DOCTORS = {"list": SIGNED_IN, "retrieve": SIGNED_IN}
AVAILABILITY = {"list": SIGNED_IN}
OVERVIEWS = {"list": EVERYONE}  # upcoming, today, statistics
