"""People, what their signing in leaves behind, and the audit of what they do."""

from accounts.models.audit import Action, AuditEvent, AuditSeal, Outcome
from accounts.models.people import (
    BOOKABLE,
    NAME,
    Doctor,
    DoctorManager,
    PeopleManager,
    User,
    avatar_path,
)
from accounts.models.sign_in import LONGEST_USER_AGENT, IdempotencyKey, LoginCounter, Session

__all__ = [
    "BOOKABLE",
    "LONGEST_USER_AGENT",
    "NAME",
    "Action",
    "AuditEvent",
    "AuditSeal",
    "Doctor",
    "DoctorManager",
    "IdempotencyKey",
    "LoginCounter",
    "Outcome",
    "PeopleManager",
    "Session",
    "User",
    "avatar_path",
]
