"""People, and what their signing in leaves behind."""

from accounts.models.people import (
    Doctor,
    DoctorManager,
    PeopleManager,
    User,
    avatar_path,
    bookable,
)
from accounts.models.sign_in import LONGEST_USER_AGENT, IdempotencyKey, LoginCounter, Session

__all__ = [
    "LONGEST_USER_AGENT",
    "Doctor",
    "DoctorManager",
    "IdempotencyKey",
    "LoginCounter",
    "PeopleManager",
    "Session",
    "User",
    "avatar_path",
    "bookable",
]
